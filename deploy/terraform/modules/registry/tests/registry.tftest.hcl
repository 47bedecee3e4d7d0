mock_provider "aws" { source = "../../mocks" }

variables {
  name           = "souk"
  key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  replica_region = "eu-central-1"
}

# In the order in which they are applied.
run "kept" {
  command = plan
  assert {
    condition = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.tagPrefixList[0]
    if rule.selection.tagStatus == "tagged"] == ["v", "sha-"]
    error_message = "Expected releases to be told apart before builds are cleared away."
  }
  assert {
    condition = alltrue([for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules :
    rule.selection.tagStatus == "tagged"])
    error_message = "Expected nothing that has no tag to be cleared away: signatures have none."
  }
}

run "images" {
  command = plan
  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "Expected tags that are never moved."
  }
  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Expected a scan of what is pushed."
  }
  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS"
    error_message = "Expected images to be encrypted with a key of ours."
  }
  assert {
    condition     = length(aws_ecr_replication_configuration.this) == 1
    error_message = "Expected copies in the second region."
  }
}
