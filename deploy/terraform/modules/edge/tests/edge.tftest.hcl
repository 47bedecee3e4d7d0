mock_provider "aws" {
  source = "../../mocks"
}
mock_provider "aws" {
  alias  = "global"
  source = "../../mocks"
}

variables {
  name                 = "souk-test"
  domain               = "souk.example"
  zone_id              = "Z1"
  regions              = { primary = "eu-west-1", secondary = "eu-central-1" }
  pictures_domain_name = "souk-test-objects.s3.eu-west-1.amazonaws.com"
  requests_a_minute    = 3000
  log_retention_days   = 30
}

run "distribution" {
  command = plan
  override_module {
    target  = module.certificate_global
    outputs = { arn = "arn:aws:acm:us-east-1:111122223333:certificate/1" }
  }
  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https"
    error_message = "Expected HTTPS only."
  }
  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "Expected TLS 1.2 or later."
  }
  assert {
    condition     = aws_cloudfront_origin_access_control.pictures.signing_behavior == "always"
    error_message = "Expected pictures to be asked for with a signature."
  }
}

run "failover" {
  command = plan
  override_module {
    target  = module.certificate_global
    outputs = { arn = "arn:aws:acm:us-east-1:111122223333:certificate/1" }
  }
  assert {
    condition = (aws_route53_record.origin["primary"].failover_routing_policy[0].type == "PRIMARY"
    && aws_route53_health_check.region["secondary"].fqdn == "eu-central-1.souk.example")
    error_message = "Expected the second region where the first is not ready."
  }
}
