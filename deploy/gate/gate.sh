#!/bin/sh
# Asks Assent's gate; needs curl and jq. Exit 0: allowed; 3: denied; 4: nobody answered, or not with an answer: a no.
# From the environment: ASSENT_WORKFLOW_URL, ASSENT_TOKEN; MODEL_VERSION, ARTIFACT_DIGEST, IMAGE (one of them at least),
# USE_CASE, ENVIRONMENT; ANSWER, a file for the signed answer.
set -u

question=$(jq --null-input --compact-output '
  {model_version: env.MODEL_VERSION, artifact_digest: env.ARTIFACT_DIGEST, image: env.IMAGE,
   use_case: env.USE_CASE, environment: env.ENVIRONMENT} | with_entries(select(.value // "" | . != ""))') || exit 4
# The token goes in by standard input: a command line is read by everybody on the machine.
answer=$(printf 'header = "Authorization: Bearer %s"\n' "$ASSENT_TOKEN" |
  curl --config - --silent --show-error --fail-with-body --max-time 20 --retry 2 \
    --header 'Content-Type: application/json' --data "$question" "$ASSENT_WORKFLOW_URL/v1/gate") || {
  echo "the gate did not answer; that is no permission: $answer" >&2
  exit 4
}
allow=$(printf %s "$answer" | jq --raw-output .allow) || exit 4
printf %s "$answer" | jq --raw-output '(.reasons + .what_to_do)[]' || exit 4
if [ -n "${ANSWER:-}" ]; then
  printf %s "$answer" | jq --raw-output '.signed // empty' > "$ANSWER"
fi
case $allow in
  true) exit 0 ;;
  false) exit 3 ;;
  *) exit 4 ;;
esac
