# Who pods are to AWS. Each service account has a role of its own, and each role may do what its pods do and no more:
# souk.tf says what that is for the shop, addons.tf for what the cluster runs besides.

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  region  = data.aws_region.this.name
  identities = merge(
    { for name, document in data.aws_iam_policy_document.souk :
    name => { namespace = "souk", service_account = "souk-${name}", policy = document.json } },
    { for name, place in local.addons :
    name => merge(place, { policy = local.addon_policies[name] }) },
  )
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
    # The cluster that hands out the identity has to be this one.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [var.cluster_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each           = local.identities
  name               = "${var.name}-${each.key}"
  description        = "Pods of ${each.value.namespace}/${each.value.service_account}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.identities
  name     = "allowed"
  role     = aws_iam_role.this[each.key].id
  policy   = each.value.policy
}

resource "aws_eks_pod_identity_association" "this" {
  for_each        = local.identities
  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn
}
