# The rotation of the roles' keys: rotation.py says how. A stack of CloudFormation, because that takes a function's text
# as it stands: no package is built and stored for a hundred lines.

locals { rotates = local.is_replica ? 0 : 1 }

data "aws_iam_policy_document" "rotation_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "rotation" {
  count = local.rotates
  statement {
    actions = [
      "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [aws_secretsmanager_secret.this["service-keys"].arn]
  }
  statement {
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${data.aws_region.this.name}.amazonaws.com"]
    }
  }
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.rotation[0].arn}:*"]
  }
}

resource "aws_cloudwatch_log_group" "rotation" {
  count             = local.rotates
  name              = "/aws/lambda/${var.name}-rotation"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_iam_role" "rotation" {
  count              = local.rotates
  name               = "${var.name}-rotation"
  assume_role_policy = data.aws_iam_policy_document.rotation_trust.json
}

resource "aws_iam_role_policy" "rotation" {
  count  = local.rotates
  name   = "rotate"
  role   = aws_iam_role.rotation[0].id
  policy = data.aws_iam_policy_document.rotation[0].json
}

resource "aws_cloudformation_stack" "rotation" {
  count = local.rotates
  name  = "${var.name}-rotation"
  template_body = jsonencode({
    Resources = {
      Function = {
        Type = "AWS::Lambda::Function"
        Properties = {
          FunctionName  = "${var.name}-rotation"
          Description   = "Rotates the keys by which Souk's roles know each other"
          Runtime       = "python3.13"
          Architectures = ["arm64"]
          Handler       = "index.handler"
          Role          = aws_iam_role.rotation[0].arn
          Timeout       = 30
          MemorySize    = 128
          Code          = { ZipFile = file("${path.module}/rotation.py") }
        }
      }
      Permission = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          FunctionName  = { Ref = "Function" }
          Action        = "lambda:InvokeFunction"
          Principal     = "secretsmanager.amazonaws.com"
          SourceAccount = data.aws_caller_identity.this.account_id
        }
      }
    }
    Outputs = { Arn = { Value = { "Fn::GetAtt" = ["Function", "Arn"] } } }
  })
  depends_on = [aws_iam_role_policy.rotation, aws_cloudwatch_log_group.rotation]
}

resource "aws_secretsmanager_secret_rotation" "service_keys" {
  count               = local.rotates
  secret_id           = aws_secretsmanager_secret.this["service-keys"].id
  rotation_lambda_arn = aws_cloudformation_stack.rotation[0].outputs["Arn"]
  rotate_immediately  = false
  rotation_rules { automatically_after_days = 30 }
  depends_on = [aws_secretsmanager_secret_version.made_up]
}
