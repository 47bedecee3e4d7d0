{{/*
What each role is, written once: `calls` whom it calls, and is the network's and the mesh's law; `uses` what it reaches
besides; `secrets` what it may read; `paths` what the edge sends there; `priority` who gives way.

The storefront calls payments for /topology alone, which asks every role how it is.
*/}}
{{- define "souk.roles" -}}
{{- $stripe := eq .Values.payments.gateway "stripe" -}}
storefront:
  priority: browse
  calls: [users, auth, products, orders, payments, notifications]
  uses: [redis, objects]
  secrets: [redis-url, service-keys]
  paths: [/]
users:
  priority: browse
  calls: [auth]
  uses: [database, redis]
  secrets: [database-url, redis-url, service-keys, staff-password]
  paths: [/api/users]
auth:
  priority: browse
  calls: [users]
  uses: [database, redis]
  secrets: [database-url, redis-url, service-keys, signing-key]
  paths: [/api/sessions, /api/tokens, /.well-known/jwks.json]
products:
  priority: checkout
  calls: [auth]
  uses: [database, redis, objects]
  secrets: [database-url, redis-url, service-keys]
  paths: [/api/products, /api/categories, /api/inventory]
orders:
  priority: checkout
  calls: [auth, products, payments]
  uses: [database, redis]
  secrets: [database-url, redis-url, service-keys]
  paths: [/api/carts, /api/orders, /api/shipping-methods, /api/reports]
payments:
  priority: checkout
  calls: [auth]
  uses: [database, redis{{ if $stripe }}, stripe{{ end }}]
  secrets: [database-url, redis-url, service-keys, webhook-secret{{ if $stripe }}, stripe-key{{ end }}]
  paths: [/api/payments]
notifications:
  priority: background
  calls: [auth]
  uses: [database, redis, webhooks{{ if .Values.mail.smtp }}, smtp{{ end }}]
  secrets: [database-url, redis-url, service-keys{{ if .Values.mail.smtp }}, smtp-url{{ end }}]
  paths: [/api/notifications, /api/webhooks]
{{- end }}

{{/* The same of what is done once or by the clock, with a role's image and none of its callers. */}}
{{- define "souk.jobs" -}}
migrate:
  uses: [database]
  secrets: [database-url]
audit:
  uses: [database]
  secrets: [database-url]
backup:
  uses: [database, objects]
  secrets: [database-url, backup-key]
demo:
  uses: [database, redis, objects]
  secrets: [database-url, redis-url]
{{- end }}

{{/* The values of a role: what holds for each, and what differs. Takes (root, role). */}}
{{- define "souk.role" -}}
{{- $root := index . 0 -}}
{{- mergeOverwrite (deepCopy $root.Values.role) (index $root.Values.roles (index . 1) | default dict) | toYaml }}
{{- end }}

{{/* Who calls a role, as a list. Takes (root, role). */}}
{{- define "souk.callers" -}}
{{- $role := index . 1 -}}
{{- range $name, $part := include "souk.roles" (index . 0) | fromYaml }}
{{- if has $role $part.calls }}
- {{ $name }}
{{- end }}
{{- end }}
{{- end }}

{{/* What owns a role's pods. */}}
{{- define "souk.workload" -}}
{{- if eq .Values.strategy.type "rolling" -}}
apiVersion: apps/v1
kind: Deployment
{{- else -}}
apiVersion: argoproj.io/v1alpha1
kind: Rollout
{{- end }}
{{- end }}
