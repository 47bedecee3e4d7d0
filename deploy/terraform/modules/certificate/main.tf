# A certificate for the shop and the names below it, proved and renewed by DNS.

resource "aws_acm_certificate" "this" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"
  lifecycle { create_before_destroy = true }
}

locals {
  # The name and the wildcard below it are proved by one record.
  proof = one([
    for option in aws_acm_certificate.this.domain_validation_options : option if option.domain_name == var.domain
  ])
}

resource "aws_route53_record" "proof" {
  zone_id = var.zone_id
  name    = local.proof.resource_record_name
  type    = local.proof.resource_record_type
  ttl     = 300
  records = [local.proof.resource_record_value]
  # Each region's certificate has the same proof.
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [aws_route53_record.proof.fqdn]
}
