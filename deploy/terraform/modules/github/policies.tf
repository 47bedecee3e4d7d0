# Reads all but what is secret, and takes the state's lock.
data "aws_iam_policy_document" "plan" {
  statement {
    actions   = ["s3:GetObject", "s3:ListBucket"]
    resources = [var.state_bucket_arn, "${var.state_bucket_arn}/*"]
  }
  statement {
    actions   = ["s3:DeleteObject", "s3:PutObject"]
    resources = ["${var.state_bucket_arn}/*.tflock"]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.state_key_arn]
  }
  # Passwords are made up at each run and thrown away; of what is stored nothing is read.
  statement {
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }
  statement {
    effect = "Deny"
    actions = [
      "secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "ssm:GetParameter*", "ssm:StartSession",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "push" {
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
      "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:ListImageReferrers", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [var.repository_arn]
  }
}

# Finds the cluster, and looks at the image. What it may do in the cluster is the access entry's to say.
data "aws_iam_policy_document" "deploy" {
  for_each = var.environments
  statement {
    actions   = ["eks:DescribeCluster"]
    resources = ["arn:aws:eks:*:${local.account}:cluster/souk-${each.key}*"]
  }
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer",
      "ecr:ListImageReferrers",
    ]
    resources = [var.repository_arn]
  }
}

# PowerUserAccess has no say over IAM: what Terraform makes there is Souk's own, given to services only, and these roles
# cannot make themselves more than they are.
data "aws_iam_policy_document" "apply" {
  statement {
    sid = "SoukRoles"
    actions = [
      "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
      "iam:Get*", "iam:List*", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    ]
    # The second is DMS's own name for the role that it looks for.
    resources = [for name in ["souk-*", "dms-vpc-role"] : "arn:aws:iam::${local.account}:role/${name}"]
  }
  statement {
    sid       = "PassThem"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${local.account}:role/souk-*"]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "backup.amazonaws.com", "dms.amazonaws.com", "ec2.amazonaws.com", "eks.amazonaws.com", "lambda.amazonaws.com",
        "monitoring.rds.amazonaws.com", "pods.eks.amazonaws.com", "rds.amazonaws.com", "s3.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }
  statement {
    sid       = "ServiceLinkedRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:aws:iam::${local.account}:role/aws-service-role/*"]
  }
  statement {
    sid    = "NotThemselves"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PassRole", "iam:PutRolePolicy",
      "iam:UpdateAssumeRolePolicy",
    ]
    resources = ["arn:aws:iam::${local.account}:role/souk-github-*"]
  }
  statement {
    sid       = "NoAdministrators"
    effect    = "Deny"
    actions   = ["iam:AttachRolePolicy"]
    resources = ["*"]
    condition {
      test     = "ArnLike"
      variable = "iam:PolicyARN"
      values   = [for name in ["AdministratorAccess*", "IAMFullAccess", "PowerUserAccess"] : "arn:aws:iam::aws:policy/${name}"]
    }
  }
  statement {
    sid       = "KeepTheState"
    effect    = "Deny"
    actions   = ["s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObjectVersion", "s3:PutBucketVersioning"]
    resources = [var.state_bucket_arn, "${var.state_bucket_arn}/*"]
  }
}
