"""What follows for a version from its candidacies."""

# The strongest candidacy is the version's status, unless its source no longer has it. One of an earlier version under
# the same urn does not count (sources tell the time of making with and without its fraction). Of the rows `t` of a
# relation with `id`, `urn` and `created_at`; no row where there is none. Most have none, and nothing is gathered for
# them. Index: candidacies_model_version.
OF_CANDIDACIES = """
select t.id,
       (array_agg(c.status order by array_position(
            array['accepted', 'suspended', 'under_review', 'candidate', 'rejected', 'retired', 'withdrawn'],
            c.status)))[1] as strongest,
       jsonb_object_agg(c.use_case, c.status order by c.id) as by_use_case
  from {versions} t join candidacies c on c.model_version = t.urn
 where c.version_created_at is null or abs(extract(epoch from c.version_created_at - t.created_at)) < 1
 group by t.id
"""
