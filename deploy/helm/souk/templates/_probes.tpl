{{/* A pod that asks for pages, and fails unless each is answered 200. Takes (root, name to URL). */}}
{{- define "souk.probes" -}}
{{- $root := index . 0 -}}
restartPolicy: Never
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
  seccompProfile: {type: RuntimeDefault}
containers:
  {{- range $name, $url := index . 1 }}
  - name: {{ $name }}
    image: {{ include "souk.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [probe, "{{ $url }}", --timeout, "10"]
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 64Mi}
  {{- end }}
{{- end }}
