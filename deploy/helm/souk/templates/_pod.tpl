{{/* The pod around souk, as Pod Security "restricted" has it. Takes (root, component, what it is). */}}
{{- define "souk.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "souk.fullname" $root }}-{{ index . 1 }}
# Nothing here asks Kubernetes; AWS's tokens are mounted by what gives them.
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: tmp
    # Letters and pictures too, where nothing else takes them.
    emptyDir: {sizeLimit: 1Gi}
  - name: secrets
    {{- include "souk.secretVolume" . | nindent 4 }}
{{- end }}

{{/* The container of a job, and what all have in common. */}}
{{- define "souk.container" -}}
image: {{ include "souk.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets/souk, readOnly: true}
{{- end }}

{{/* In place of the job before an installation, when the servers of `servers.enabled` are not there yet. */}}
{{- define "souk.firstSteps" -}}
# Waits, rather than failing until Kubernetes gives it ever longer pauses.
- name: wait
  image: {{ .Values.servers.postgres }}
  command:
    - sh
    - -c
    - until pg_isready --host {{ include "souk.fullname" . }}-postgres --username souk --dbname souk; do sleep 1; done
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {memory: 64Mi}
- name: migrate
  args: [migrate]
  {{- include "souk.container" . | nindent 2 }}
  env:
    - {name: SOUK_DATA, value: /tmp}
    - {name: SOUK_DATABASE_FILE, value: /run/secrets/souk/database-url}
  resources:
    {{- toYaml .Values.role.resources | nindent 4 }}
{{- end }}

{{- define "souk.settings" -}}
SOUK_HOST: 0.0.0.0
SOUK_PORT: "8080"
SOUK_DATA: /tmp
SOUK_LOG_FORMAT: json
SOUK_PUBLIC_URL: {{ include "souk.publicURL" . }}
SOUK_DRAIN_DELAY: {{ .Values.drain.delaySeconds }}s
# Rather than to end, and be started again after ever longer pauses.
SOUK_DATABASE_WAIT: 2m
{{- with .Values.network.edge.cidrs }}
SOUK_TRUSTED_PROXIES: {{ join "," . | quote }}
{{- end }}
{{- with .Values.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . }}
{{- end }}
{{- end }}

{{/* The settings of a component alone. Takes (root, component, what it is). */}}
{{- define "souk.env" -}}
{{- $root := index . 0 -}}
{{- $what := index . 2 -}}
{{- if $what.paths }}
- {name: SOUK_ROLES, value: {{ index . 1 }}}
- name: SOUK_PEERS
  value: {{ range $index, $peer := $what.calls }}{{ if $index }},{{ end -}}
    {{ $peer }}=http://{{ include "souk.fullname" $root }}-{{ $peer }}:8080{{ end }}
- {name: SOUK_PAYMENTS, value: "{{ $root.Values.payments.gateway }}:"}
{{- end }}
{{- if has "objects" $what.uses }}
{{- with include "souk.bucket" (list $root $root.Values.objects.url "objects") }}
- {name: SOUK_OBJECTS, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- range $what.secrets }}
{{- if eq . "redis-url" }}
- {name: SOUK_CACHE_FILE, value: /run/secrets/souk/redis-url}
- {name: SOUK_EVENTS_FILE, value: /run/secrets/souk/redis-url}
{{- else if eq . "signing-key" }}
# The folder: its only file that ends in .pem is signing-key.pem, which may hold several keys, the newest first.
- {name: SOUK_SIGNING_KEYS, value: /run/secrets/souk}
{{- else }}
- name: {{ get (include "souk.secretSettings" $root | fromYaml) . }}_FILE
  value: /run/secrets/souk/{{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "souk.secretSettings" -}}
database-url: SOUK_DATABASE
service-keys: SOUK_SERVICE_KEYS
staff-password: SOUK_STAFF_PASSWORD
webhook-secret: SOUK_WEBHOOK_SECRET
stripe-key: SOUK_STRIPE_KEY
smtp-url: SOUK_MAIL
backup-key: SOUK_BACKUP_KEY
{{- end }}

{{/* Which secrets the chart makes up. */}}
{{- define "souk.generated" -}}
{{- if eq (include "souk.secretsProvider" .) "secret" }}
{{- if .Values.secrets.generate }}
service-keys: true
signing-key: true
staff-password: true
{{- if eq .Values.payments.gateway "sandbox" }}
webhook-secret: true
{{- end }}
{{- end }}
{{- if .Values.servers.enabled }}
database-url: true
redis-url: true
{{- end }}
{{- end }}
{{- end }}

{{/* A component's secrets and no others, as files. Takes (root, component, what it is). */}}
{{- define "souk.secretVolume" -}}
{{- $root := index . 0 -}}
{{- if eq (include "souk.secretsProvider" $root) "csi" -}}
csi:
  driver: secrets-store.csi.k8s.io
  readOnly: true
  volumeAttributes: {secretProviderClass: {{ include "souk.fullname" $root }}-{{ index . 1 }}}
{{- else -}}
{{- $generated := include "souk.generated" $root | fromYaml -}}
{{- $own := printf "%s-generated" (include "souk.fullname" $root) -}}
{{- $sources := dict -}}
{{- range (index . 2).secrets }}
{{- $source := ternary $own $root.Values.secrets.existing (hasKey $generated .) }}
{{- $_ := set $sources $source (append (get $sources $source | default list) .) }}
{{- end -}}
projected:
  defaultMode: 0440
  sources:
    {{- range $source, $names := $sources }}
    - secret:
        name: {{ $source }}
        items:
          {{- range $names }}
          - {key: {{ . }}, path: {{ include "souk.secretFile" . }}}
          {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "souk.secretFile" -}}
{{ . }}{{ if eq . "signing-key" }}.pem{{ end }}
{{- end }}

{{/* A whole job: one container that runs souk with some words. Takes (root, component, what it is, words). */}}
{{- define "souk.job" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
# A backup copies all there is, and one that is stopped is none.
activeDeadlineSeconds: {{ ternary 21600 3600 (eq $name "backup") }}
ttlSecondsAfterFinished: 86400
template:
  metadata:
    labels:
      {{- include "souk.labels" (list $root $name) | nindent 6 }}
  spec:
    restartPolicy: Never
    {{- include "souk.pod" . | nindent 4 }}
    {{- if and $root.Values.servers.enabled (eq $name "demo") }}
    initContainers:
      {{- include "souk.firstSteps" $root | nindent 6 }}
    {{- end }}
    containers:
      - name: souk
        args: {{ toJson (index . 3) }}
        {{- include "souk.container" $root | nindent 8 }}
        {{- if ne $name "migrate" }}
        envFrom:
          - configMapRef: {name: {{ include "souk.fullname" $root }}}
        {{- end }}
        env:
          {{- if eq $name "migrate" }}
          # Of its own: before an installation there is no ConfigMap.
          - {name: SOUK_DATA, value: /tmp}
          - {name: SOUK_DATABASE_WAIT, value: 2m}
          {{- end }}
          {{- include "souk.env" . | trim | nindent 10 }}
        resources:
          {{- toYaml $root.Values.role.resources | nindent 10 }}
    {{- with $root.Values.role.nodeSelector }}
    nodeSelector:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $root.Values.role.tolerations }}
    tolerations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
