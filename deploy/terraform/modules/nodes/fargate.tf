# Roles that run on Fargate, if any: each pod on a machine of its own, without nodes to look after, at a higher price.

data "aws_iam_policy_document" "fargate_trust" {
  count = length(var.fargate_roles) > 0 ? 1 : 0
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["eks-fargate-pods.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values = [join(":", [
        "arn:aws:eks", data.aws_region.this.name, data.aws_caller_identity.this.account_id,
        "fargateprofile/${var.cluster_name}/*",
      ])]
    }
  }
}

# Pulls images, and sends logs of what runs them. Pods have no part in it.
resource "aws_iam_role" "fargate" {
  count              = length(var.fargate_roles) > 0 ? 1 : 0
  name               = "${var.name}-fargate"
  assume_role_policy = data.aws_iam_policy_document.fargate_trust[0].json
}

resource "aws_iam_role_policy_attachment" "fargate" {
  count      = length(var.fargate_roles) > 0 ? 1 : 0
  role       = aws_iam_role.fargate[0].name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSFargatePodExecutionRolePolicy"
}

resource "aws_eks_fargate_profile" "souk" {
  count                  = length(var.fargate_roles) > 0 ? 1 : 0
  cluster_name           = var.cluster_name
  fargate_profile_name   = "souk"
  pod_execution_role_arn = aws_iam_role.fargate[0].arn
  subnet_ids             = var.subnet_ids

  dynamic "selector" {
    for_each = var.fargate_roles
    content {
      namespace = "souk"
      labels    = { "app.kubernetes.io/component" = selector.value }
    }
  }

  depends_on = [aws_iam_role_policy_attachment.fargate]
}
