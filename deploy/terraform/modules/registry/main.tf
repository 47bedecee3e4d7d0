# Where images are kept: a tag is never moved, every push is scanned, and both regions have them.

resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration { scan_on_push = true }
  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.key_arn
  }
}

# An image is judged by the first rule that its tags match, so one that was released is never a build to be cleared
# away. There is no rule for what has no tag: signatures and attestations have none, nor have the images of each
# architecture behind a tag. With an image its signatures go by themselves.
resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Releases, more than there will ever be"
        selection = {
          tagStatus     = "tagged"
          tagPrefixList = ["v"]
          countType     = "imageCountMoreThan"
          countNumber   = 9999
        }
        action = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Builds that were not released"
        selection = {
          tagStatus     = "tagged"
          tagPrefixList = ["sha-"]
          countType     = "imageCountMoreThan"
          countNumber   = var.builds_kept
        }
        action = { type = "expire" }
      },
    ]
  })
}

data "aws_caller_identity" "this" {}

resource "aws_ecr_replication_configuration" "this" {
  count = var.replica_region == null ? 0 : 1
  replication_configuration {
    rule {
      destination {
        region      = var.replica_region
        registry_id = data.aws_caller_identity.this.account_id
      }
      repository_filter {
        filter      = var.name
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}
