#!/bin/sh
# For each service a database, the role that owns it and the one that the service works as; nobody else may connect to
# it. Postgres' image runs this once, on an empty data folder.
set -eu

create() {
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set name="$1" --set password="$2" \
    --set owner="$1_owner" --set owner_password="$3" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role :"owner" login password :'owner_password';
create role :"name" login password :'password';
create database :"name" owner :"owner";
revoke connect, temporary on database :"name" from public;
SQL
}

create assent_catalog_api "$CATALOG_API_DATABASE_PASSWORD" "$CATALOG_API_OWNER_PASSWORD"
create assent_workflow "$WORKFLOW_DATABASE_PASSWORD" "$WORKFLOW_OWNER_PASSWORD"
create assent_sagemaker_connector "$SAGEMAKER_CONNECTOR_DATABASE_PASSWORD" "$SAGEMAKER_CONNECTOR_OWNER_PASSWORD"
