locals {
  souk = { for metric in [
    "souk_http_requests_total", "souk_orders_total", "souk_inventory_updates_total", "souk_stock_outs_total",
  ] : metric => ["Souk", metric, "ClusterName", var.cluster_name] }
  # The load balancer is the chart's: it is found by its name.
  balancer = "{AWS/ApplicationELB,LoadBalancer} MetricName=\"TargetResponseTime\" \"app/souk-${var.environment}/\""

  # Title, unit and metrics of each panel, in rows of three.
  panels = [
    { title = "CPU, %", stat = "Average", metrics = concat(
      [["AWS/EC2", "CPUUtilization", "AutoScalingGroupName", var.system_nodes, { label = "system nodes" }]],
      [["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.database, { label = "database" }]],
      [for name, node in local.caches : ["AWS/ElastiCache", "EngineCPUUtilization", "CacheClusterId", node, { label = name }]],
    ) },
    { title = "Latency, s", stat = "p95", metrics = [for stat in ["p50", "p95", "p99"] :
      [{ expression = "SEARCH('${local.balancer}', '${stat}', 60)", label = stat }]
    ] },
    { title = "Inventory updates a minute", stat = "Sum", metrics = [local.souk.souk_inventory_updates_total] },
    { title = "Requests and failures a minute", stat = "Sum", metrics = concat(
      [concat(local.souk.souk_http_requests_total, [{ label = "all" }])],
      [for status in local.failures :
      concat(local.souk.souk_http_requests_total, ["status", status, { label = status }])],
    ) },
    { title = "Orders a minute", stat = "Sum", metrics = [local.souk.souk_orders_total] },
    { title = "Stock-outs a minute", stat = "Sum", metrics = [local.souk.souk_stock_outs_total] },
    { title = "Connections to the database", stat = "Maximum", metrics = [
      ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", var.database],
    ] },
    { title = "A commit's way to the disk, s", stat = "Average", metrics = [
      ["AWS/RDS", "WriteLatency", "DBInstanceIdentifier", var.database],
    ] },
    { title = "Behind the primary, s", stat = "Maximum", metrics = [
      ["AWS/RDS", "ReplicaLag", "DBInstanceIdentifier", var.database],
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for i, panel in local.panels : {
      type   = "metric"
      x      = 8 * (i % 3)
      y      = 6 * floor(i / 3)
      width  = 8
      height = 6
      properties = {
        title   = panel.title
        region  = data.aws_region.this.name
        period  = 60
        stat    = panel.stat
        metrics = panel.metrics
      }
    }]
  })
}
