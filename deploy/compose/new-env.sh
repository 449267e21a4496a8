#!/bin/sh
# Prints .env.example with fresh secrets in it:  (umask 077; deploy/compose/new-env.sh > .env)
set -eu
cd "$(dirname "$0")/../.."

secret() {
  openssl rand -hex 24
}

token=$(secret)
metrics_token=$(secret)

digest() {
  printf %s "$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1
}

sed \
  -e "s/^POSTGRES_PASSWORD=\$/&$(secret)/" \
  -e "s/^CATALOG_API_DATABASE_PASSWORD=\$/&$(secret)/" \
  -e "s/^WORKFLOW_DATABASE_PASSWORD=\$/&$(secret)/" \
  -e "s/^SAGEMAKER_CONNECTOR_DATABASE_PASSWORD=\$/&$(secret)/" \
  -e "s/^CATALOG_API_OWNER_PASSWORD=\$/&$(secret)/" \
  -e "s/^WORKFLOW_OWNER_PASSWORD=\$/&$(secret)/" \
  -e "s/^SAGEMAKER_CONNECTOR_OWNER_PASSWORD=\$/&$(secret)/" \
  -e "s/^GRAFANA_ADMIN_PASSWORD=\$/&$(secret)/" \
  -e "s/^ASSENT_SERVICE_TOKEN=\$/&$token/" \
  -e "s/^ASSENT_SERVICE_TOKEN_SHA256=\$/&$(digest "$token")/" \
  -e "s/^ASSENT_METRICS_TOKEN=\$/&$metrics_token/" \
  -e "s/^ASSENT_METRICS_TOKEN_SHA256=\$/&$(digest "$metrics_token")/" \
  -e "s/^ASSENT_SIGNING_KEY=\$/&$(openssl rand -hex 32)/" \
  .env.example
