# Backups of what AWS keeps for us, in a vault of their own, with a copy in another region: daily and monthly.

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-backup-service"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset([
    "service-role/AWSBackupServiceRolePolicyForBackup", "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup", "AWSBackupServiceRolePolicyForS3Restore",
  ])
  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_backup_vault" "this" {
  name          = var.name
  kms_key_arn   = var.key_arn
  force_destroy = !var.locked
}

resource "aws_backup_vault" "copy" {
  count         = var.copy == null ? 0 : 1
  provider      = aws.copy
  name          = var.name
  kms_key_arn   = var.copy.key_arn
  force_destroy = !var.locked
}

# Nobody deletes a backup before its time, whatever they have got hold of.
resource "aws_backup_vault_lock_configuration" "this" {
  count              = var.locked ? 1 : 0
  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = 7
}

resource "aws_backup_vault_lock_configuration" "copy" {
  count              = var.locked && var.copy != null ? 1 : 0
  provider           = aws.copy
  backup_vault_name  = aws_backup_vault.copy[0].name
  min_retention_days = 7
}

resource "aws_backup_plan" "this" {
  name = var.name
  dynamic "rule" {
    for_each = {
      daily   = { schedule = "cron(0 4 * * ? *)", days = var.daily_days }
      monthly = { schedule = "cron(0 5 1 * ? *)", days = 365 }
    }
    content {
      rule_name         = rule.key
      target_vault_name = aws_backup_vault.this.name
      schedule          = rule.value.schedule
      start_window      = 60
      completion_window = 360
      lifecycle { delete_after = rule.value.days }
      dynamic "copy_action" {
        for_each = aws_backup_vault.copy
        content {
          destination_vault_arn = copy_action.value.arn
          lifecycle { delete_after = rule.value.days }
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.resources
}

resource "aws_backup_vault_notifications" "this" {
  backup_vault_name   = aws_backup_vault.this.name
  sns_topic_arn       = var.topic_arn
  backup_vault_events = ["BACKUP_JOB_FAILED", "COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"]
}
