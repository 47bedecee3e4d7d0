mock_provider "aws" { source = "../../mocks" }

variables {
  name           = "souk"
  key_arn        = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  replica_region = "eu-central-1"
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
