locals {
  cluster  = { ClusterName = var.cluster_name }
  database = { DBInstanceIdentifier = var.database }
  # Karpenter's nodes are in no group, and how full they are is Prometheus' to tell.
  nodes = { AutoScalingGroupName = var.system_nodes }
  # Of a replication group, its members are named so.
  caches = { for i in range(var.cache_nodes) : "cache-${i + 1}" => format("%s-%03d", var.cache, i + 1) }

  # What Souk answers when the fault is its own.
  failures = ["500", "502", "503", "504"]

  alarms = merge(
    {
      nodes-cpu = {
        about     = "The system nodes, which Karpenter adds none to, are over 80 % of their CPU"
        namespace = "AWS/EC2", metric = "CPUUtilization", dimensions = local.nodes
        above     = 80, statistic = "Average", minutes = 5
      }
      database-cpu = {
        about     = "The database is over 80 % of its CPU"
        namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = local.database
        above     = 80, statistic = "Average", minutes = 5
      }
      database-storage = {
        about     = "The database has less than 5 GiB left, and storage grows no more"
        namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.database
        below     = 5 * 1024 * 1024 * 1024, statistic = "Minimum", minutes = 5
      }
      stock-outs = {
        about     = "Ten reservations in five minutes found nothing left: products sell out"
        namespace = "Souk", metric = "souk_stock_outs_total", dimensions = local.cluster
        above     = 10, statistic = "Sum", minutes = 5
      }
    },
    { for name, node in local.caches : "${name}-cpu" => {
      about     = "Redis is over 80 % of its CPU"
      namespace = "AWS/ElastiCache", metric = "EngineCPUUtilization", dimensions = { CacheClusterId = node }
      above     = 80, statistic = "Average", minutes = 5
    } },
    # Where the shop is, Alertmanager is too; where a database follows another, it should not be far behind.
    var.is_replica ? {} : { watchdog = {
      about      = "Alertmanager says nothing: alerts of the cluster do not come through"
      namespace  = "AWS/SNS", metric = "NumberOfMessagesPublished"
      dimensions = { TopicName = aws_sns_topic.this["watchdog"].name }
      below      = 1, statistic = "Sum", minutes = 15, silence = "breaching"
    } },
    var.is_replica ? { replica-lag = {
      about     = "The replica is a minute behind: so much would be lost with the first region"
      namespace = "AWS/RDS", metric = "ReplicaLag", dimensions = local.database
      above     = 60, statistic = "Maximum", minutes = 5
    } } : {},
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.about
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = each.value.minutes
  comparison_operator = lookup(each.value, "above", null) == null ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = lookup(each.value, "above", null) == null ? each.value.below : each.value.above
  treat_missing_data  = lookup(each.value, "silence", "notBreaching")
  alarm_actions       = [aws_sns_topic.this["alarms"].arn]
  ok_actions          = [aws_sns_topic.this["alarms"].arn]
}

# The share of answers that are the shop's own fault, of all answers.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "More than 0.1 % of the answers are errors of the shop"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.1
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this["alarms"].arn]
  ok_actions          = [aws_sns_topic.this["alarms"].arn]

  metric_query {
    id          = "rate"
    label       = "Errors, %"
    expression  = "100 * (${join(" + ", [for status in local.failures : "FILL(errors${status}, 0)"])}) / answers"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = merge(
      { answers = local.cluster },
      { for status in local.failures : "errors${status}" => merge(local.cluster, { status = status }) },
    )
    content {
      id = metric_query.key
      metric {
        namespace   = "Souk"
        metric_name = "souk_http_requests_total"
        dimensions  = metric_query.value
        period      = 60
        stat        = "Sum"
      }
    }
  }
}
