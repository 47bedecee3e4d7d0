# GitHub's workflows come with a token that says which repository, branch or environment they run for, and get a role for
# it: there is no key to be stored or stolen.

data "aws_caller_identity" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  host    = "token.actions.githubusercontent.com"
  roles = merge(
    {
      plan = { subjects = ["pull_request", "ref:refs/heads/main"], policy = data.aws_iam_policy_document.plan.json }
      push = { subjects = ["ref:refs/heads/main", "ref:refs/tags/v*"], policy = data.aws_iam_policy_document.push.json }
    },
    { for environment in var.environments :
    "apply-${environment}" => { subjects = ["environment:${environment}"], policy = data.aws_iam_policy_document.apply.json } },
    { for environment in var.environments : "deploy-${environment}" => {
      subjects = ["environment:${environment}"], policy = data.aws_iam_policy_document.deploy[environment].json
    } },
  )
  # What AWS itself keeps for such roles; what they may do besides, or may not, stands below.
  managed = merge(
    { plan = "ReadOnlyAccess" },
    { for environment in var.environments : "apply-${environment}" => "PowerUserAccess" },
  )
}

resource "aws_iam_openid_connect_provider" "this" {
  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.this.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.host}:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringLike"
      variable = "${local.host}:sub"
      values   = [for subject in each.value.subjects : "repo:${var.repository}:${subject}"]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each             = local.roles
  name                 = "souk-github-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = local.managed
  role       = aws_iam_role.this[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles
  name     = "allowed"
  role     = aws_iam_role.this[each.key].id
  policy   = each.value.policy
}
