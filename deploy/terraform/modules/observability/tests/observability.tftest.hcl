mock_provider "aws" { source = "../../mocks" }

variables {
  name               = "souk-test"
  environment        = "test"
  cluster_name       = "souk-test"
  system_nodes       = "eks-system"
  database           = "souk-test"
  is_replica         = true
  cache              = "souk-test"
  cache_nodes        = 2
  emails             = ["shop@souk.example"]
  key_arn            = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  log_retention_days = 30
}

run "alarms" {
  command = plan
  assert {
    condition     = alltrue([for name in ["nodes-cpu", "database-cpu", "cache-1-cpu"] : aws_cloudwatch_metric_alarm.this[name].threshold == 80])
    error_message = "Expected to be told of more than 80 % CPU."
  }
  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.this), "replica-lag") && contains(keys(aws_cloudwatch_metric_alarm.this), "stock-outs")
    error_message = "Expected to be told of a replica that falls behind, and of stock that runs out."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["database-storage"].comparison_operator == "LessThanThreshold"
    error_message = "Expected to be told of too little storage."
  }
}

# Where the shop is, Alertmanager is, and says so every few minutes.
run "watchdog" {
  command = plan
  variables { is_replica = false }
  assert {
    condition = (aws_cloudwatch_metric_alarm.this["watchdog"].dimensions == tomap({ TopicName = "souk-test-watchdog" })
      && aws_cloudwatch_metric_alarm.this["watchdog"].treat_missing_data == "breaching"
    && aws_cloudwatch_metric_alarm.this["watchdog"].comparison_operator == "LessThanThreshold")
    error_message = "Expected to be told when Alertmanager falls silent."
  }
}

run "logs" {
  command = plan
  assert {
    condition = alltrue([for name in ["logs", "metrics", "platform"] :
    aws_cloudwatch_log_group.souk[name].name == "/souk/test/${name}" && aws_cloudwatch_log_group.souk[name].retention_in_days == 30])
    error_message = "Expected a group for each kind of log, kept for as long as was asked for."
  }
}

run "dashboard" {
  command = plan
  assert {
    condition = length(setsubtract(["CPU, %", "Latency, s", "Inventory updates a minute"],
    [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title])) == 0
    error_message = "Expected CPU, latency and inventory updates."
  }
}
