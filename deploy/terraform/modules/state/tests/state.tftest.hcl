mock_provider "aws" { source = "../../mocks" }

run "kept" {
  assert {
    condition     = output.key_arn != "" && output.bucket != ""
    error_message = "Expected a bucket, and a key of its own."
  }
}
