mock_provider "aws" { source = "../../mocks" }

variables {
  name          = "souk-test-objects-111122223333"
  key_arn       = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  force_destroy = false
}

run "closed" {
  command = plan
  assert {
    condition = (aws_s3_bucket_public_access_block.this.block_public_acls
      && aws_s3_bucket_public_access_block.this.block_public_policy
      && aws_s3_bucket_public_access_block.this.ignore_public_acls
    && aws_s3_bucket_public_access_block.this.restrict_public_buckets)
    error_message = "Expected a bucket that is closed to the public."
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "Expected objects to be encrypted with a key of ours."
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Expected versions."
  }
}

run "copied" {
  command = plan
  variables {
    locked_days = 14
    replica = {
      bucket_arn = "arn:aws:s3:::copy", role_prefix = "souk-test-objects",
      key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    }
  }
  assert {
    condition     = length(aws_s3_bucket_replication_configuration.this) == 1
    error_message = "Expected a copy in the other region."
  }
  assert {
    condition     = aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 14
    error_message = "Expected versions that nobody can delete for a while."
  }
}
