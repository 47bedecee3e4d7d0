{{- define "souk.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-souk" .Release.Name) (contains "souk" .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* What a Service, a policy or an autoscaler finds pods by: never changes. Takes (root, component). */}}
{{- define "souk.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: souk
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "souk.labels" -}}
{{- $root := index . 0 -}}
{{ include "souk.selector" . }}
app.kubernetes.io/part-of: souk
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{/* Name, namespace and labels of what belongs to a component. Takes (root, component). */}}
{{- define "souk.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "souk.fullname" $root }}{{ with index . 1 }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "souk.labels" . | nindent 2 }}
{{- end }}

{{- define "souk.image" -}}
{{- with .Values.image -}}
{{- $registry := printf "%s.dkr.ecr.%s.amazonaws.com/souk" $.Values.aws.account $.Values.aws.region -}}
{{- .repository | default (ternary $registry "souk" (not (empty $.Values.aws.account))) -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "souk.secretsProvider" -}}
{{- .Values.secrets.provider | default (ternary "csi" "secret" (not (empty .Values.aws.account))) }}
{{- end }}

{{/* A bucket's URL. Takes (root, what was said, which of the account's). */}}
{{- define "souk.bucket" -}}
{{- with (index . 0).Values -}}
{{- $own := printf "s3://souk-%s-%s-%s?region=%s" .environment (index $ 2) .aws.account .aws.region -}}
{{- index $ 1 | default (ternary $own "" (not (empty .aws.account))) }}
{{- end }}
{{- end }}

{{- define "souk.publicURL" -}}
{{- if .Values.host }}https://{{ .Values.host }}{{ else }}http://127.0.0.1:8080{{ end }}
{{- end }}
