terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
      # The second region, and us-east-1 for what CloudFront uses.
      configuration_aliases = [aws.second, aws.global]
    }
  }
}
