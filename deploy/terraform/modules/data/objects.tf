# Pictures, and backups that nobody can delete for a while.

module "objects" {
  source        = "../bucket"
  name          = "${var.name}-objects-${data.aws_caller_identity.this.account_id}"
  key_arn       = var.key_arn
  force_destroy = !var.deletion_protection
  policies      = [data.aws_iam_policy_document.pictures.json]
  replica = var.bucket_replicas == null ? null : {
    bucket_arn = var.bucket_replicas.objects_arn, key_arn = var.bucket_replicas.key_arn, role_prefix = "${var.name}-objects"
  }
}

module "backups" {
  source        = "../bucket"
  name          = "${var.name}-backups-${data.aws_caller_identity.this.account_id}"
  key_arn       = var.key_arn
  force_destroy = !var.deletion_protection
  # A backup is whole for 35 days: its pictures are copied once a week, and may be a week older than it.
  expire_days       = 42
  old_versions_days = 7
  locked_days       = var.deletion_protection ? 14 : 0
  replica = var.bucket_replicas == null ? null : {
    bucket_arn = var.bucket_replicas.backups_arn, key_arn = var.bucket_replicas.key_arn, role_prefix = "${var.name}-backups"
  }
}

# CloudFront reads pictures, and only for distributions of this account.
data "aws_iam_policy_document" "pictures" {
  statement {
    sid       = "CloudFront"
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::${var.name}-objects-${data.aws_caller_identity.this.account_id}/images/*"]
    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:cloudfront::${data.aws_caller_identity.this.account_id}:distribution/*"]
    }
  }
}
