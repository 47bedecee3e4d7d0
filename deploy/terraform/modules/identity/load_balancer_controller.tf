# The AWS Load Balancer Controller: sees all, makes what carries its cluster's tag, and changes or removes nothing else.

locals {
  balancing = "arn:aws:elasticloadbalancing:${local.region}:${local.account}"
  # With and without what stands behind: application and network load balancers.
  balancers = [for kind in ["app", "net"] : "${local.balancing}:loadbalancer/${kind}/*/*"]
  listeners = [for kind in ["app", "net"] : "${local.balancing}:listener/${kind}/*/*/*"]
  rules     = [for kind in ["app", "net"] : "${local.balancing}:listener-rule/${kind}/*/*/*"]
  targets   = ["${local.balancing}:targetgroup/*/*"]
}

data "aws_iam_policy_document" "load_balancer_controller" {
  statement {
    sid = "See"
    actions = [
      "acm:DescribeCertificate", "acm:ListCertificates",
      "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags",
      "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs", "ec2:GetSecurityGroupsForVpc",
      "elasticloadbalancing:Describe*",
      "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
    ]
    resources = ["*"]
  }
  statement {
    sid       = "Protect"
    actions   = ["elasticloadbalancing:SetWebAcl", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"]
    resources = concat(local.balancers, ["arn:aws:wafv2:${local.region}:${local.account}:regional/webacl/${var.name}/*"])
  }
  statement {
    sid       = "FirstBalancerOfAnAccount"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:aws:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"]
    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["elasticloadbalancing.amazonaws.com"]
    }
  }

  # Security groups: its own, and the rule on the nodes' group that lets a balancer in.
  statement {
    sid       = "MakeSecurityGroups"
    actions   = ["ec2:CreateSecurityGroup"]
    resources = ["arn:aws:ec2:${local.region}:${local.account}:vpc/${var.vpc_id}"]
  }
  statement {
    sid       = "MakeTaggedSecurityGroups"
    actions   = ["ec2:CreateSecurityGroup"]
    resources = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/elbv2.k8s.aws/cluster"
      values   = [var.cluster_name]
    }
  }
  statement {
    sid       = "TagSecurityGroups"
    actions   = ["ec2:CreateTags"]
    resources = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateSecurityGroup"]
    }
  }
  statement {
    sid = "OwnSecurityGroups"
    actions = [
      "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags", "ec2:DeleteSecurityGroup", "ec2:DeleteTags",
      "ec2:RevokeSecurityGroupIngress",
    ]
    resources = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/elbv2.k8s.aws/cluster"
      values   = [var.cluster_name]
    }
  }
  statement {
    sid       = "LetBalancersIn"
    actions   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
    resources = ["arn:aws:ec2:${local.region}:${local.account}:security-group/${var.node_security_group_id}"]
  }

  statement {
    sid       = "MakeBalancers"
    actions   = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
    resources = concat(local.balancers, local.targets)
    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/elbv2.k8s.aws/cluster"
      values   = [var.cluster_name]
    }
  }
  statement {
    sid       = "TagWhatIsMade"
    actions   = ["elasticloadbalancing:AddTags"]
    resources = concat(local.balancers, local.targets, local.listeners, local.rules)
    condition {
      test     = "StringEquals"
      variable = "elasticloadbalancing:CreateAction"
      values   = ["CreateListener", "CreateLoadBalancer", "CreateRule", "CreateTargetGroup"]
    }
  }
  statement {
    sid = "OwnBalancers"
    actions = [
      "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:AddTags",
      "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateRule",
      "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer",
      "elasticloadbalancing:DeleteRule", "elasticloadbalancing:DeleteTargetGroup",
      "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:ModifyCapacityReservation",
      "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes",
      "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyRule",
      "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
      "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:RemoveListenerCertificates",
      "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetIpAddressType",
      "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:SetSecurityGroups",
      "elasticloadbalancing:SetSubnets",
    ]
    resources = concat(local.balancers, local.targets, local.listeners, local.rules)
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/elbv2.k8s.aws/cluster"
      values   = [var.cluster_name]
    }
  }
}
