{{/* Who a component is, to AWS too: EKS Pod Identity knows by the name, IRSA by the role named here. */}}
{{- define "souk.serviceAccount" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "souk.metadata" . | nindent 2 }}
  {{- $irsa := and $root.Values.aws.account (eq $root.Values.aws.identity "irsa") }}
  {{- if or $irsa (index . 2) }}
  annotations:
    {{- with index . 2 }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $irsa }}
    {{- with $root.Values }}
    eks.amazonaws.com/role-arn: arn:aws:iam::{{ .aws.account }}:role/souk-{{ .environment }}-{{ index $ 1 }}
    {{- end }}
    {{- end }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{/* What the Secrets Store CSI driver mounts for a component. Takes (root, component, what it is, annotations). */}}
{{- define "souk.secretProvider" -}}
{{- $root := index . 0 -}}
{{- $_ := required "aws.account is empty, expected one where secrets.provider is csi" $root.Values.aws.account -}}
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  {{- include "souk.metadata" . | nindent 2 }}
  {{- with index . 3 }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  provider: aws
  parameters:
    region: {{ $root.Values.aws.region }}
    usePodIdentity: {{ eq $root.Values.aws.identity "podIdentity" | quote }}
    objects: |
      {{- range (index . 2).secrets }}
      - objectName: souk/{{ $root.Values.environment }}/{{ . }}
        objectType: secretsmanager
        objectAlias: {{ include "souk.secretFile" . }}
      {{- end }}
{{- end }}
