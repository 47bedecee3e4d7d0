# The front door: one distribution in the world. Pictures come straight from the bucket, everything else from the load
# balancer of the region that is well.
#
#   shop.example ── CloudFront ─┬─ /images/*  the bucket, with origin access control
#                               └─ the rest   origin.shop.example ── failover ─┬─ eu-west-1.shop.example
#                                                                              └─ eu-central-1.shop.example
#
# The last two are made by ExternalDNS from each region's Ingress.

locals {
  origin = "origin.${var.domain}"
  # AWS's own policies have the same ids in every account.
  cache_policies = {
    optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" # CachingOptimized
    origin    = "4cc15a8a-d715-48a4-82b8-cc0b614638fe" # UseOriginCacheControlHeaders-QueryStrings
  }
  all_viewer       = "216adef6-5c7f-47e4-b989-5492eafa07d3" # AllViewer
  security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03" # SecurityHeadersPolicy
}

# --- certificates -----------------------------------------------------------------------------------------------------

module "certificate_global" {
  source    = "../certificate"
  domain    = var.domain
  zone_id   = var.zone_id
  providers = { aws = aws.global }
}

# --- the distribution -------------------------------------------------------------------------------------------------

module "log_key" {
  source      = "../key"
  name        = "${var.name}-edge-logs"
  description = "Logs of what stands before the regions"
  services    = ["logs.us-east-1.amazonaws.com"]
  providers   = { aws = aws.global }
}

module "waf" {
  source             = "../waf"
  name               = "${var.name}-edge"
  scope              = "CLOUDFRONT"
  requests_a_minute  = var.requests_a_minute
  log_key_arn        = module.log_key.arn
  log_retention_days = var.log_retention_days
  providers          = { aws = aws.global }
}

resource "aws_cloudfront_origin_access_control" "pictures" {
  name                              = "${var.name}-pictures"
  description                       = "Signs what is asked of the bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "this" {
  comment         = var.name
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = "PriceClass_100"
  aliases         = [var.domain]
  web_acl_id      = module.waf.arn

  origin {
    origin_id   = "shop"
    domain_name = local.origin
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      # Souk answers or gives up before.
      origin_read_timeout      = 60
      origin_keepalive_timeout = 60
    }
  }

  origin {
    origin_id                = "pictures"
    domain_name              = var.pictures_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.pictures.id
  }

  # Pages say themselves how long they may be kept; Souk makes them the same for every visitor.
  default_cache_behavior {
    target_origin_id           = "shop"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.cache_policies.origin
    origin_request_policy_id   = local.all_viewer
    response_headers_policy_id = local.security_headers
  }

  ordered_cache_behavior {
    path_pattern               = "/images/*"
    target_origin_id           = "pictures"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.cache_policies.optimized
    response_headers_policy_id = local.security_headers
  }

  restrictions {
    geo_restriction { restriction_type = "none" }
  }

  viewer_certificate {
    acm_certificate_arn      = module.certificate_global.arn
    minimum_protocol_version = "TLSv1.2_2021"
    ssl_support_method       = "sni-only"
  }
}

resource "aws_route53_record" "shop" {
  for_each = toset(["A", "AAAA"])
  zone_id  = var.zone_id
  name     = var.domain
  type     = each.key
  alias {
    name                   = aws_cloudfront_distribution.this.domain_name
    zone_id                = aws_cloudfront_distribution.this.hosted_zone_id
    evaluate_target_health = false
  }
}
