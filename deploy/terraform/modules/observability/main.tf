# What wakes somebody when the cluster's own monitoring cannot: alarms of CloudWatch, one topic that they all go to, a
# dashboard, and the traces' group. Souk's own metrics are written by the OpenTelemetry collector, in the namespace
# `Souk`, with the dimension ClusterName, and requests with the dimensions ClusterName and status too.

data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

# Alarms wake somebody, tickets wait for the morning, and on the third Alertmanager says every few minutes that it is there.
resource "aws_sns_topic" "this" {
  for_each          = toset(["alarms", "tickets", "watchdog"])
  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.key_arn
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "Services"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this["alarms"].arn]
    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com", "budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.this["alarms"].arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "this" {
  for_each  = { for pair in setproduct(["alarms", "tickets"], var.emails) : join(" ", pair) => pair }
  topic_arn = aws_sns_topic.this[each.value[0]].arn
  protocol  = "email"
  endpoint  = each.value[1]
}

resource "aws_cloudwatch_log_group" "souk" {
  for_each          = toset(["logs", "metrics", "platform"])
  name              = "/souk/${var.environment}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_xray_group" "this" {
  group_name        = var.name
  filter_expression = "annotation.deployment_environment = \"${var.environment}\" AND (fault = true OR responsetime > 1)"
  insights_configuration {
    insights_enabled      = true
    notifications_enabled = true
  }
}
