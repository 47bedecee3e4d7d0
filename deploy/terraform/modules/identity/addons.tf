# What the cluster runs besides the shop, by namespace and service account. Karpenter's is with the nodes.

locals {
  addons = {
    load-balancer-controller = { namespace = "kube-system", service_account = "aws-load-balancer-controller" }
    external-dns             = { namespace = "external-dns", service_account = "external-dns" }
    otel-collector           = { namespace = "observability", service_account = "otel-collector" }
    fluent-bit               = { namespace = "node-agents", service_account = "fluent-bit" }
    alertmanager             = { namespace = "monitoring", service_account = "kube-prometheus-stack-alertmanager" }
    cloudwatch-exporter      = { namespace = "monitoring", service_account = "cloudwatch-exporter" }
    kyverno                  = { namespace = "kyverno", service_account = "kyverno-admission-controller" }
    velero                   = { namespace = "velero", service_account = "velero" }
    opencost                 = { namespace = "opencost", service_account = "opencost" }
  }
  addon_policies = {
    load-balancer-controller = data.aws_iam_policy_document.load_balancer_controller.json
    external-dns             = data.aws_iam_policy_document.external_dns.json
    otel-collector           = data.aws_iam_policy_document.otel_collector.json
    fluent-bit               = data.aws_iam_policy_document.fluent_bit.json
    alertmanager             = data.aws_iam_policy_document.alertmanager.json
    cloudwatch-exporter      = data.aws_iam_policy_document.cloudwatch_exporter.json
    kyverno                  = data.aws_iam_policy_document.kyverno.json
    velero                   = data.aws_iam_policy_document.velero.json
    opencost                 = data.aws_iam_policy_document.opencost.json
  }
  log_groups = "arn:aws:logs:${local.region}:${local.account}:log-group:/souk/${var.environment}"
}

# Records of the shop's zone, and nothing but the kinds that it writes.
data "aws_iam_policy_document" "external_dns" {
  statement {
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = ["arn:aws:route53:::hostedzone/${var.zone_id}"]
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "route53:ChangeResourceRecordSetsRecordTypes"
      values   = ["A", "AAAA", "CNAME", "TXT"]
    }
  }
  statement {
    actions   = ["route53:ListResourceRecordSets", "route53:ListTagsForResource"]
    resources = ["arn:aws:route53:::hostedzone/${var.zone_id}"]
  }
  statement {
    actions   = ["route53:ListHostedZones", "route53:ListHostedZonesByName"]
    resources = ["*"]
  }
  statement {
    actions   = ["route53:GetChange"]
    resources = ["arn:aws:route53:::change/*"]
  }
}

# Traces to X-Ray, metrics to CloudWatch by way of its log events.
data "aws_iam_policy_document" "otel_collector" {
  statement {
    actions = [
      "xray:GetSamplingRules", "xray:GetSamplingStatisticSummaries", "xray:GetSamplingTargets",
      "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    ]
    resources = ["*"]
  }
  statement {
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${local.log_groups}/metrics", "${local.log_groups}/metrics:*"]
  }
}

data "aws_iam_policy_document" "fluent_bit" {
  statement {
    actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = flatten([for group in ["logs", "platform"] :
      ["${local.log_groups}/${group}", "${local.log_groups}/${group}:*"]
    ])
  }
}

# Tells the environment's topics, whose messages are encrypted.
data "aws_iam_policy_document" "alertmanager" {
  statement {
    actions = ["sns:Publish"]
    resources = [for topic in ["alarms", "tickets", "watchdog"] :
      "arn:aws:sns:${local.region}:${local.account}:${var.name}-${topic}"
    ]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.message_key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sns.${local.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "cloudwatch_exporter" {
  statement {
    actions   = ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "tag:GetResources"]
    resources = ["*"]
  }
}

# Signatures of the shop's image, and the manifest that they are of; in a second region from the copy there.
data "aws_iam_policy_document" "kyverno" {
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImageReferrers"]
    resources = ["arn:aws:ecr:*:${local.account}:repository/souk"]
  }
}

# Volumes by snapshot, objects of Kubernetes into the bucket of backups.
data "aws_iam_policy_document" "velero" {
  statement {
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${var.buckets.backups}/velero/*"]
  }
  statement {
    actions   = ["s3:ListBucket"]
    resources = [var.buckets.backups]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
  }
  statement {
    actions   = ["ec2:DescribeSnapshots", "ec2:DescribeVolumes"]
    resources = ["*"]
  }
  statement {
    actions = ["ec2:CreateSnapshot", "ec2:CreateVolume"]
    resources = [
      "arn:aws:ec2:${local.region}:${local.account}:volume/*", "arn:aws:ec2:${local.region}::snapshot/*",
    ]
  }
  statement {
    actions = ["ec2:CreateTags"]
    resources = [
      "arn:aws:ec2:${local.region}:${local.account}:volume/*", "arn:aws:ec2:${local.region}::snapshot/*",
    ]
    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateSnapshot", "CreateVolume"]
    }
  }
  statement {
    actions   = ["ec2:DeleteSnapshot"]
    resources = ["arn:aws:ec2:${local.region}::snapshot/*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/velero.io/backup"
      values   = ["*"]
    }
  }
}

# Prices, for the cost of a namespace.
data "aws_iam_policy_document" "opencost" {
  statement {
    actions   = ["ec2:DescribeSpotPriceHistory", "pricing:GetProducts"]
    resources = ["*"]
  }
}
