#!/usr/bin/env python3
"""Caches of several sites on one bucket of moto's server: what one site computed, the others do not; and none can hurt another.

usage: bucket_test.py        (FPO_BIN_DIR: the programs; FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
"""
import pathlib
import re
import tempfile
import urllib.request

import deploy_check as check
import s3_test as s3_check

PREFIX = "shared/records"
URL = f"s3://{s3_check.BUCKET}/{PREFIX}"
SHORT = ["max_steps=12", "checkpoint.every_steps=12", "evaluate.every_steps=12", "evaluate.pairs=8", "data.max_pairs=200"]


class Site(s3_check.Site):
    """A site with a worker, on the common inputs."""

    def __init__(self, folder, inputs, endpoint, key):
        folder.mkdir()
        (folder / "inputs").symlink_to(inputs)
        super().__init__(folder, endpoint, key, URL)
        self.start_worker("worker")

    def job_of(self, findings, name, *changes):
        """Runs it; the records that the cache had, and those computed."""
        job = self.run(name, *SHORT, f"output={self.folder}/runs/{name}", *changes)
        return s3_check.records_of(s3_check.succeeds(self, findings, f"{self.folder.name}: {name}", job))

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.ports['cache']['http']}/metrics", timeout=10) as answer:
            found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", answer.read().decode(), re.M)
        return sum(float(each) for each in found)

    def has_sent(self, manifests):
        return self.metric("fpo_cache_bucket_sent_manifests_total") >= manifests and self.metric("fpo_cache_bucket_pending_manifests") == 0

    def site_id(self):
        return (self.folder / "cache/bucket/site").read_text()


def objects_of(s3, folder):
    return s3_check.keys_below(s3, f"{PREFIX}/{folder}")


def check_two_sites(first, second, s3, findings):
    hits, computed = first.job_of(findings, "job")
    findings.expect(hits == 0 and computed > 0, f"first site: {hits} hits, {computed} computed")
    first.wait("the records are in the bucket", lambda: first.has_sent(1))
    index = [f"{first.site_id()}/{key}" for key in objects_of(s3, f"sites/{first.site_id()}/")]
    findings.expect(len(index) == 1 and len(objects_of(s3, "segments/")) >= 1, f"the bucket has {index}, {objects_of(s3, 'segments/')}")
    before = {key: s3_check.body_of(s3, f"{PREFIX}/sites/{key}") for key in index}

    hits, again = second.job_of(findings, "job")
    findings.expect(again == 0 and hits == computed, f"second site: {hits} hits, {again} computed; the first one computed {computed}")
    models = [(site.folder / "runs/job/model/model.safetensors").read_bytes() for site in (first, second)]
    findings.expect(models[0] == models[1], "with the bucket's records another model came out")
    second.wait("the second site has an index of its own", lambda: second.has_sent(1))
    findings.expect(second.metric("fpo_cache_bucket_sent_bytes_total") == 0, "a segment that was there was sent again")
    after = {key: s3_check.body_of(s3, f"{PREFIX}/sites/{key}") for key in index}
    findings.expect(before == after and second.site_id() != first.site_id(), "the second site changed what the first one wrote")
    return computed


def check_private(first, s3, findings):
    """Records of a private manifest do not go to the bucket; those of the next public one do."""
    sites = f"sites/{first.site_id()}/"
    before = set(objects_of(s3, sites))
    first.job_of(findings, "private", "reference.share=private", "data.max_pairs=60")
    first.job_of(findings, "public", "data.max_pairs=90", "seed=7")
    first.wait("the public records are in the bucket", lambda: len(objects_of(s3, sites)) > len(before) and first.has_sent(2))
    findings.expect(len(set(objects_of(s3, sites)) - before) == 1, f"private records are in the bucket: {set(objects_of(s3, sites)) - before}")


def check_damage(site, s3, findings, computed):
    """Each segment has a flipped bit: they are refused, the job computes, and good ones take their place."""
    good = {}
    for key in objects_of(s3, "segments/"):
        good[key] = s3_check.body_of(s3, f"{PREFIX}/segments/{key}")
        bad = bytearray(good[key])
        bad[len(bad) // 2] ^= 1
        s3.put_object(Bucket=s3_check.BUCKET, Key=f"{PREFIX}/segments/{key}", Body=bytes(bad))
    hits, again = site.job_of(findings, "job")
    findings.expect(hits == 0 and again == computed, f"damaged segments: {hits} hits, {again} of {computed} computed")
    findings.expect(site.metric("fpo_cache_bucket_refused_total") >= 1, "a damaged segment was not refused")
    findings.expect("a segment in the bucket is refused" in site.logs(), "the log does not name the refused segment")
    site.wait("what this site computed is in the bucket", lambda: site.has_sent(1))
    now = {key: s3_check.body_of(s3, f"{PREFIX}/segments/{key}") for key in good}
    findings.expect(any(now[key] == good[key] for key in good), "no damaged segment was replaced by the same good one")


def check_without_server(sites, findings, computed):
    """The server is gone: jobs run as if there were no bucket."""
    fresh, known = sites
    hits, again = fresh.job_of(findings, "job")
    findings.expect(hits == 0 and again == computed, f"no server: {hits} hits, {again} of {computed} computed")
    findings.expect(fresh.metric("fpo_cache_bucket_failures_total") >= 1, "no failure was counted")
    hits, again = known.job_of(findings, "once-more")
    findings.expect(again == 0 and hits == computed, f"no server, records here: {hits} hits, {again} computed")


def main():
    check.enter_tools()
    server, s3, endpoint, key = s3_check.start_server()
    findings = check.Findings()
    sites = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        inputs = folder / "inputs"
        check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), str(inputs), check.program("fpo-train"))
        job_file = inputs / "dpo.yaml"
        job_file.write_text(job_file.read_text().replace("runs/sft/model", "base"))
        try:
            for site in ("first", "second"):
                sites[site] = Site(folder / site, inputs, endpoint, key)
            computed = check_two_sites(sites["first"], sites["second"], s3, findings)
            check_private(sites["first"], s3, findings)
            sites["third"] = Site(folder / "third", inputs, endpoint, key)
            check_damage(sites["third"], s3, findings, computed)
            server.stop()
            sites["fourth"] = Site(folder / "fourth", inputs, endpoint, key)
            check_without_server((sites["fourth"], sites["second"]), findings, computed)
            for site in sites.values():
                s3_check.check_secrets(site, findings)
        finally:
            for site in sites.values():
                site.stop()
        if findings.found:
            print("".join(site.logs() for site in sites.values()))
    findings.end()


if __name__ == "__main__":
    main()
