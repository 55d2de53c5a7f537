"""What cloud providers and platforms do: one row or more a program."""

from __future__ import annotations

import pytest

from rating import rate

HIGH = [
    ("aws s3 rb s3://b --force", "shell.cloud.delete"),
    ("aws s3 rm s3://b --recursive", "shell.cloud.delete"),
    ("aws s3 cp x s3://b/", "shell.cloud.upload"),
    ("aws s3 sync . s3://b", "shell.cloud.upload"),
    ("aws s3 sync . s3://b --acl public-read", "shell.cloud.upload"),
    ("aws --profile p ec2 terminate-instances --instance-ids i", "shell.cloud.delete"),
    ("aws iam create-access-key --user-name u", "shell.cloud.access"),
    ("aws iam attach-user-policy --user-name u --policy-arn x", "shell.cloud.access"),
    ("aws sts assume-role --role-arn x", "shell.cloud.token"),
    ("aws secretsmanager get-secret-value --secret-id x", "shell.cloud.secret"),
    ("aws ssm get-parameter --name x --with-decryption", "shell.cloud.secret"),
    ("aws cloudtrail stop-logging --name x", "shell.cloud.control_off"),
    ("aws ec2 authorize-security-group-ingress --group-id x", "shell.cloud.compute"),
    ("aws ec2 modify-snapshot-attribute --snapshot-id x", "shell.cloud.compute"),
    ("aws ssm send-command --document-name x", "shell.cloud.run"),
    ("aws lambda update-function-code --function-name x", "shell.cloud.run"),
    ("aws rds delete-db-instance --db x", "shell.cloud.delete"),
    ("aws guardduty update-detector --no-enable", "shell.cloud.control_off"),
    ("aws kms schedule-key-deletion --key-id x", "shell.cloud.delete"),
    ("gcloud projects delete p", "shell.cloud.delete"),
    ("gcloud iam service-accounts keys create k.json --iam-account a", "shell.cloud.access"),
    ("gcloud projects add-iam-policy-binding p --member x --role owner", "shell.cloud.access"),
    ("gcloud auth print-access-token", "shell.cloud.secret"),
    ("gcloud secrets versions access latest --secret x", "shell.cloud.secret"),
    ("gsutil rm -r gs://b", "shell.cloud.delete"),
    ("gsutil cp x gs://b/", "shell.cloud.upload"),
    ("gcloud logging sinks delete x", "shell.cloud.delete"),
    ("gcloud compute firewall-rules create x --allow tcp", "shell.cloud.change"),
    ("az group delete -n x", "shell.cloud.delete"),
    ("az role assignment create --assignee x", "shell.cloud.access"),
    ("az keyvault secret show --name x --vault-name v", "shell.cloud.secret"),
    ("az account get-access-token", "shell.cloud.secret"),
    ("az vm run-command invoke -n x", "shell.cloud.change"),
    ("az ad sp create-for-rbac", "shell.cloud.access"),
    ("az storage blob upload -f x", "shell.cloud.change"),
    ("doctl compute droplet delete x", "shell.cloud.delete"),
    ("heroku apps:destroy x", "shell.platform.delete"),
    ("heroku config", "shell.platform.secrets"),
    ("fly deploy", "shell.publish.deploy"),
    ("fly apps destroy x", "shell.platform.delete"),
    ("vercel --prod", "shell.publish.deploy"),
    ("firebase deploy", "shell.publish.deploy"),
    ("wrangler secret put X", "shell.platform.secrets"),
    ("cdk destroy", "shell.platform.delete"),
    ("heroku run bash", "shell.platform.run"),
]
MEDIUM = [
    "aws s3 ls",
    "awslocal s3 mb s3://b",
    "aws sts get-caller-identity",
    "aws ec2 describe-instances",
    "aws s3 cp s3://b/x .",
    "gcloud compute instances list",
    "az vm list",
    "vercel dev",
    "heroku logs",
    "serverless invoke local -f x",
    "gsutil cp gs://b/x .",
    "fly apps list",
]
LOW = [
    "aws configure list",
    "gcloud config list",
    "az account show",
]


@pytest.mark.parametrize(("command", "finding"), HIGH)
def test_harm_is_high_and_says_why(command, finding):
    risk, found = rate(command)

    assert risk == "HIGH"
    assert finding in {rated.id for rated in found}


@pytest.mark.parametrize("command", MEDIUM)
def test_work_of_the_task_is_medium(command):
    assert rate(command)[0] == "MEDIUM"


@pytest.mark.parametrize("command", LOW)
def test_looking_is_low(command):
    assert rate(command)[0] == "LOW"
