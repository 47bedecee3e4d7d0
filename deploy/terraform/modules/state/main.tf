# Where Terraform keeps what it knows: every version, encrypted, and locked by S3 itself while somebody writes
# (`use_lockfile`).

data "aws_caller_identity" "this" {}

module "key" {
  source      = "../key"
  name        = "souk-state"
  description = "Terraform's state"
}

module "bucket" {
  source            = "../bucket"
  name              = "souk-state-${data.aws_caller_identity.this.account_id}"
  key_arn           = module.key.arn
  old_versions_days = 365
  force_destroy     = var.force_destroy
}
