"""What follows for a version from its candidacies."""

# The strongest candidacy is the version's status, unless its source no longer has it. One of an earlier version under
# the same urn does not count (sources tell the time of making with and without its fraction). Of a row `t` with `urn`
# and `created_at`; nulls where there is none. Index: candidacies_model_version.
OF_CANDIDACIES = """
select (array_agg(status order by array_position(
            array['accepted', 'suspended', 'under_review', 'candidate', 'rejected', 'retired', 'withdrawn'],
            status)))[1] as strongest,
       jsonb_object_agg(use_case, status order by id) as by_use_case
  from candidacies
 where model_version = t.urn
   and (version_created_at is null or abs(extract(epoch from version_created_at - t.created_at)) < 1)
"""
