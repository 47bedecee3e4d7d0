# What is refused before it costs anything: AWS's managed rules, and more than a person does from one address.

locals {
  # In the order in which they are asked.
  managed = {
    AWSManagedRulesAmazonIpReputationList = { priority = 10, count = [] }
    AWSManagedRulesKnownBadInputsRuleSet  = { priority = 20, count = [] }
    # A product's description and a picture are longer than 8 KiB: Souk bounds bodies itself.
    AWSManagedRulesCommonRuleSet = { priority = 30, count = ["SizeRestrictions_BODY"] }
    AWSManagedRulesSQLiRuleSet   = { priority = 40, count = [] }
  }
}

resource "aws_wafv2_web_acl" "this" {
  name        = var.name
  description = "Managed rules, and a limit for each address"
  scope       = var.scope

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 0
    action {
      block {
        custom_response {
          response_code = 429
          response_header {
            name  = "Retry-After"
            value = "60"
          }
        }
      }
    }
    statement {
      rate_based_statement {
        limit                 = var.requests_a_minute
        evaluation_window_sec = 60
        aggregate_key_type    = var.forwarded ? "FORWARDED_IP" : "IP"
        dynamic "forwarded_ip_config" {
          for_each = var.forwarded ? [1] : []
          content {
            header_name       = "X-Forwarded-For"
            fallback_behavior = "MATCH"
          }
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
      metric_name                = "${var.name}-rate"
    }
  }

  dynamic "rule" {
    for_each = local.managed
    content {
      name     = rule.key
      priority = rule.value.priority
      override_action {
        none {}
      }
      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key
          dynamic "rule_action_override" {
            for_each = rule.value.count
            content {
              name = rule_action_override.value
              action_to_use {
                count {}
              }
            }
          }
        }
      }
      visibility_config {
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = true
        metric_name                = "${var.name}-${rule.key}"
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = true
    metric_name                = var.name
  }
}

resource "aws_cloudwatch_log_group" "this" {
  # WAF writes to log groups of this prefix only.
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.this.arn]
  redacted_fields {
    single_header { name = "authorization" }
  }
  redacted_fields {
    single_header { name = "cookie" }
  }
}
