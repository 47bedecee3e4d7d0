mock_provider "aws" { source = "../../mocks" }

variables {
  name               = "souk-test"
  environment        = "test"
  cluster_name       = "souk-test"
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

run "dashboard" {
  command = plan
  assert {
    condition = length(setsubtract(["CPU, %", "Latency, s", "Inventory updates a minute"],
    [for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title])) == 0
    error_message = "Expected CPU, latency and inventory updates."
  }
}
