mock_provider "aws" {
  source = "../../mocks"
  override_resource {
    target = aws_acm_certificate.this
    values = {
      domain_validation_options = [for domain in ["souk.example", "*.souk.example"] : {
        domain_name           = domain
        resource_record_name  = "_proof.souk.example"
        resource_record_type  = "CNAME"
        resource_record_value = "_value.acm-validations.aws"
      }]
    }
  }
}

variables {
  domain  = "souk.example"
  zone_id = "Z1"
}

run "proved_by_dns" {
  assert {
    condition     = aws_route53_record.proof.name == "_proof.souk.example"
    error_message = "Expected one record for the name and what is below it."
  }
  assert {
    condition     = aws_acm_certificate.this.subject_alternative_names == toset(["*.souk.example"])
    error_message = "Expected names below it too: the regions'."
  }
}
