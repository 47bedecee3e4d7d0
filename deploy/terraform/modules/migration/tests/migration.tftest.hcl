mock_provider "aws" { source = "../../mocks" }

variables {
  name                       = "souk-test"
  environment                = "test"
  vpc_id                     = "vpc-1"
  vpc_cidr                   = "10.0.0.0/16"
  subnet_ids                 = ["subnet-1", "subnet-2", "subnet-3"]
  database_security_group_id = "sg-1"
  key_arn                    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  instance_class             = "dms.r6i.large"
  source_engine              = "mysql"
  source_cidr                = "192.168.0.10/32"
  source_port                = 3306
  source_database            = "shop"
  source_schema              = "shop"
}

run "full_load_and_changes" {
  command = plan
  assert {
    condition     = aws_dms_replication_task.this.migration_type == "full-load-and-cdc"
    error_message = "Expected all rows, and then what changes."
  }
  assert {
    condition     = !aws_dms_replication_instance.this.publicly_accessible
    error_message = "Expected an instance that is not public."
  }
  assert {
    condition     = alltrue([for endpoint in aws_dms_endpoint.this : endpoint.ssl_mode == "require"])
    error_message = "Expected TLS to both ends."
  }
}
