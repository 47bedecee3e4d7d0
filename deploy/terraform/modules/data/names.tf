# Names that are the same in each region, so that URLs with secrets in them can be copied from one to the other as they
# are: database.souk.internal is the proxy in the first region, the promoted replica in the second.

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}

resource "aws_route53_zone" "internal" {
  name          = "souk.internal"
  comment       = "Back ends of ${var.name}"
  force_destroy = true
  vpc { vpc_id = var.vpc_id }
}

resource "aws_route53_record" "database" {
  zone_id = aws_route53_zone.internal.id
  name    = "database.souk.internal"
  type    = "CNAME"
  ttl     = 30
  records = [local.proxy ? aws_db_proxy.this[0].endpoint : aws_db_instance.this.address]
}

resource "aws_route53_record" "redis" {
  zone_id = aws_route53_zone.internal.id
  name    = "redis.souk.internal"
  type    = "CNAME"
  ttl     = 30
  records = [aws_elasticache_replication_group.this.primary_endpoint_address]
}
