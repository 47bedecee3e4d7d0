mock_provider "aws" { source = "../../mocks" }

variables {
  name        = "souk-test"
  environment = "test"
  monthly_usd = 500
  emails      = ["shop@souk.example"]
  topic_arn   = "arn:aws:sns:eu-west-1:111122223333:alarms"
}

run "told_before" {
  command = plan
  assert {
    condition     = one(aws_budgets_budget.this.cost_filter).values == tolist(["user:Environment$test"])
    error_message = "Expected the costs of this environment, by its tag."
  }
  assert {
    condition     = length(aws_budgets_budget.this.notification) == 2
    error_message = "Expected to be told before and when it is too much."
  }
}
