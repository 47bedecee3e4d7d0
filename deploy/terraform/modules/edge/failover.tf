# Which region the shop is served from: the first whose storefront says that it is ready. A second one that is a pilot
# light says no until it was made the primary, so that nobody is sent to a shop that cannot sell.

resource "aws_route53_health_check" "region" {
  for_each          = var.regions
  type              = "HTTPS"
  fqdn              = "${each.value}.${var.domain}"
  port              = 443
  resource_path     = "/ready"
  enable_sni        = true
  request_interval  = 10
  failure_threshold = 3
  measure_latency   = true
  tags              = { Name = "${var.name}-${each.value}" }
}

resource "aws_route53_record" "origin" {
  for_each        = var.regions
  zone_id         = var.zone_id
  name            = local.origin
  type            = "CNAME"
  ttl             = 30
  records         = ["${each.value}.${var.domain}"]
  set_identifier  = each.value
  health_check_id = aws_route53_health_check.region[each.key].id
  failover_routing_policy { type = upper(each.key) }
}
