# The few nodes that the cluster itself stands on: Bottlerocket on Graviton, tainted for what keeps the cluster running.
# All others are Karpenter's: karpenter.tf, and its NodePools among the manifests.

data "aws_default_tags" "this" {}

locals {
  # Of Bottlerocket's two volumes the first holds the system, the second images and logs.
  volumes = { "/dev/xvda" = 4, "/dev/xvdb" = 40 }
  taint   = { key = "CriticalAddonsOnly", value = "true" }
}

data "aws_iam_policy_document" "node_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# What a node may do: join, pull images, be looked into by Session Manager. Pods have identities of their own, and with
# one hop none of them reaches the node's.
resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.node_trust.json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset([
    "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore",
  ])
  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_eks_access_entry" "node" {
  cluster_name  = var.cluster_name
  principal_arn = aws_iam_role.node.arn
  type          = "EC2_LINUX"
}

resource "aws_launch_template" "system" {
  name                   = "${var.name}-system"
  update_default_version = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring { enabled = true }

  dynamic "block_device_mappings" {
    for_each = local.volumes
    content {
      device_name = block_device_mappings.key
      ebs {
        volume_type           = "gp3"
        volume_size           = block_device_mappings.value
        encrypted             = true
        delete_on_termination = true
      }
    }
  }

  # The provider's default tags reach the template, not what is made from it.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])
    content {
      resource_type = tag_specifications.key
      tags          = merge(data.aws_default_tags.this.tags, { Name = "${var.name}-system" })
    }
  }
}

resource "aws_eks_node_group" "system" {
  cluster_name    = var.cluster_name
  node_group_name = "system"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = var.subnet_ids
  ami_type        = "BOTTLEROCKET_ARM_64"
  instance_types  = [var.instance_type]
  labels          = { "souk/nodes" = "system" }

  launch_template {
    id      = aws_launch_template.system.id
    version = aws_launch_template.system.latest_version
  }

  taint {
    key    = local.taint.key
    value  = local.taint.value
    effect = "NO_SCHEDULE"
  }

  scaling_config {
    min_size     = var.size
    desired_size = var.size
    max_size     = var.size + 1
  }

  update_config { max_unavailable = 1 }
  node_repair_config { enabled = true }

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_access_entry.node]
}
