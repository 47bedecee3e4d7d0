{{/* How a release takes the place of the one before. Takes (root, role). */}}
{{- define "souk.strategy" -}}
{{- $root := index . 0 -}}
{{- $service := printf "%s-%s" (include "souk.fullname" $root) (index . 1) -}}
{{- with $root.Values.strategy -}}
{{- if eq .type "rolling" -}}
type: RollingUpdate
rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
{{- else if eq .type "blueGreen" -}}
blueGreen:
  activeService: {{ $service }}
  previewService: {{ $service }}-preview
  # Asked before it is seen by anybody; judged by its numbers afterwards, when there are some.
  prePromotionAnalysis:
    templates:
      - templateName: {{ include "souk.fullname" $root }}-ready
    args:
      - {name: url, value: "http://{{ $service }}-preview:8080/ready"}
  postPromotionAnalysis:
    {{- include "souk.analysis" (list $root $service) | nindent 4 }}
  # So long the release before stays, to go back to.
  scaleDownDelaySeconds: 600
{{- else -}}
# Without a load balancer's weights: every call, from outside and from other roles, goes through the one Service, and
# meets the new release as often as it has pods.
canary:
  maxUnavailable: 0
  maxSurge: 1
  steps:
    {{- range .canarySteps }}
    - setWeight: {{ . }}
    - pause: {duration: {{ $root.Values.strategy.pause }}}
    - analysis:
        {{- include "souk.analysis" (list $root $service) | nindent 8 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Takes (root, the workload's name). */}}
{{- define "souk.analysis" -}}
templates:
  - templateName: {{ include "souk.fullname" (index . 0) }}-errors-and-latency
args:
  - {name: workload, value: {{ index . 1 }}}
  - name: hash
    valueFrom: {podTemplateHashValue: Latest}
{{- end }}
