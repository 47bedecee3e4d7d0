{{/*
What may reach a component's pods, and what they may reach. Takes (root, component, what it is, annotations).

Roles have `calls` and callers; jobs have neither. Kubelets reach the pods of their own node without a rule.
*/}}
{{- define "souk.networkPolicy" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $what := index . 2 -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "souk.metadata" . | nindent 2 }}
  {{- with index . 3 }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    matchLabels:
      {{- include "souk.selector" (list $root $name) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- if $what.paths }}
  ingress:
    {{- include "souk.ingressRules" . | trim | nindent 4 }}
  {{- end }}
  egress:
    {{- include "souk.egressRules" . | trim | nindent 4 }}
{{- end }}

{{- define "souk.ingressRules" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.network }}
- ports: {{ include "souk.ports" (list $root 8080) }}
  from:
    {{- range include "souk.callers" (list $root (index $ 1)) | fromYamlArray }}
    - podSelector:
        matchLabels:
          {{- include "souk.selector" (list $root .) | nindent 10 }}
    {{- end }}
    # The Helm test and the first look at a new release.
    - podSelector:
        matchLabels:
          {{- include "souk.selector" (list $root "test") | nindent 10 }}
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .monitoring }}}
    {{- if $root.Values.mesh.enabled }}
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ $root.Values.mesh.gatewayNamespace }}}
    {{- end }}
    {{- range .edge.cidrs }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
    {{- with .edge.peers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "souk.egressRules" -}}
{{- $root := index . 0 -}}
{{- $what := index . 2 -}}
{{- with $root.Values.network }}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
  to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
    # NodeLocal DNSCache, where there is one: on each node at its own address.
    - ipBlock: {cidr: 169.254.20.10/32}
{{- with $what.calls }}
- ports: {{ include "souk.ports" (list $root 8080) }}
  to:
    {{- range . }}
    - podSelector:
        matchLabels:
          {{- include "souk.selector" (list $root .) | nindent 10 }}
    {{- end }}
{{- end }}
{{- if has "database" $what.uses }}
{{ include "souk.serverRule" (list $root "postgres" .databasePort) }}
{{- end }}
{{- if has "redis" $what.uses }}
{{ include "souk.serverRule" (list $root "redis" .redisPort) }}
{{- end }}
{{- $bucket := include "souk.bucket" (list $root $root.Values.objects.url "objects") }}
{{- $objects := and (has "objects" $what.uses) $bucket }}
{{- if or $objects (has "stripe" $what.uses) (has "webhooks" $what.uses) }}
- ports: [{protocol: TCP, port: 443}]
  to:
    - ipBlock: {{ toJson .internet }}
{{- end }}
{{- if and $objects $root.Values.aws.account }}
# Whoever asks S3 proves who it is: by the agent of EKS Pod Identity on its node, or by STS within the VPC.
- ports: [{protocol: TCP, port: 80}]
  to:
    - ipBlock: {cidr: 169.254.170.23/32}
- ports: [{protocol: TCP, port: 443}]
  to:
    {{- range .servers }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
{{- end }}
{{- if has "smtp" $what.uses }}
- ports:
    {{- range .smtpPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  to:
    - ipBlock: {{ toJson .internet }}
    {{- range .servers }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
{{- end }}
{{- with $root.Values.settings.SOUK_WEBHOOK_NETWORKS }}
{{- if has "webhooks" $what.uses }}
- ports: [{protocol: TCP, port: 443}]
  to:
    {{- range splitList "," (nospace .) }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
{{- end }}
{{- end }}
{{- if and $root.Values.tracing.endpoint $what.paths }}
- ports: [{protocol: TCP, port: 4318}]
  to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .collector }}}
{{- end }}
{{- with .egress }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/* A server in this namespace, or in one of the networks that servers are in. Takes (root, its name here, port). */}}
{{- define "souk.serverRule" -}}
{{- $root := index . 0 -}}
- ports: [{protocol: TCP, port: {{ index . 2 }}}]
  to:
    {{- if $root.Values.servers.enabled }}
    - podSelector:
        matchLabels:
          {{- include "souk.selector" (list $root (index . 1)) | nindent 10 }}
    {{- else }}
    {{- range $root.Values.network.servers }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
    {{- end }}
{{- end }}

{{/* A port, and that of a mesh's tunnel where there is a mesh. Takes (root, port). */}}
{{- define "souk.ports" -}}
[{protocol: TCP, port: {{ index . 1 }}}
{{- if (index . 0).Values.mesh.enabled }}, {protocol: TCP, port: 15008}{{ end }}]
{{- end }}
