#!/bin/sh
# A database and its owner for each service; nobody else may connect to it. Postgres' image runs this once, on an
# empty data folder.
set -eu

create() {
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set name="$1" --set password="$2" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke connect, temporary on database :"name" from public;
SQL
}

create assent_catalog_api "$CATALOG_API_DATABASE_PASSWORD"
create assent_workflow "$WORKFLOW_DATABASE_PASSWORD"
create assent_sagemaker_connector "$SAGEMAKER_CONNECTOR_DATABASE_PASSWORD"
