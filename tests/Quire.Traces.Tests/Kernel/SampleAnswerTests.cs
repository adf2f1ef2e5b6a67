using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>What the analysis says of recordings of real kernels is what their ground truth says, in whichever format they come.</summary>
public sealed class SampleAnswerTests
{
    public static TheoryData<string> Vmsplice { get; } =
        ["s2-vmsplice-pipe/trace.dat", "s2-vmsplice-pipe/trace-v6.dat.gz", "s2-vmsplice-pipe/trace.txt.gz", "s2-vmsplice-pipe/trace-cmd-report.txt.gz"];

    [Theory]
    [MemberData(nameof(Vmsplice))]
    public void A_page_in_a_pipe_is_held_by_who_spliced_it_until_it_is_read_and_a_retry_works(string file)
    {
        BlameReport report = KernelSample.Blame(file);
        Assert.Equal(["busy", "success"], report.Attempts.Select(static attempt => attempt.Result));
        AttemptReport failed = report.Attempts[0];
        Assert.Equal(("reserved", 4096L, 48), (failed.Area, failed.Pages, failed.Task!.Pid));
        BusyPageReport page = Assert.Single(failed.BusyPages);
        Assert.Equal((0xf1dcUL, 3, 2, 0), (page.Pfn, page.Count, page.Expected, page.Unattributed));
        HolderReport holder = Assert.Single(page.Holders);
        Assert.Equal((1, "kt", 58, "pipe", "inferred"), (holder.References, holder.Task!.Comm, holder.Task!.Pid, holder.Class, holder.Basis));
        Assert.Contains("__do_sys_vmsplice", holder.Stack);
        Assert.Contains("pipe_read", holder.ReleasedStack);
        Assert.InRange(holder.AcquiredNs!.Value, 14_703_729_000, 14_703_731_000);
        Assert.InRange(holder.ReleasedNs!.Value, 14_891_777_000, 14_891_779_000);
        Assert.True(holder.Confidence > 0.9, $"confidence {holder.Confidence}");
        Assert.Contains("attempt 2 got the range", failed.Verdict, StringComparison.Ordinal);
        Assert.Equal("failed_attempt: 1 contiguous allocation failed because pages were held", Assert.Single(report.AgainstTheRules));
    }

    [Theory]
    [InlineData("s1-success/trace.dat")]
    [InlineData("s1-success/trace.txt.gz")]
    public void Of_a_success_nobody_is_to_blame(string file)
    {
        BlameReport report = KernelSample.Blame(file);
        AttemptReport attempt = Assert.Single(report.Attempts);
        Assert.Equal("success", attempt.Result);
        Assert.Empty(attempt.BusyPages);
        Assert.Empty(report.AgainstTheRules);
    }

    [Theory]
    [InlineData("s5-ext4-journal-buffers/trace.dat")]
    [InlineData("s5-ext4-journal-buffers/trace.txt.gz")]
    public void Buffers_of_a_journal_are_told_by_their_flag_with_no_reference_too_many(string file)
    {
        BlameReport report = KernelSample.Blame(file);
        Assert.Equal(["busy", "busy", "success", "no-space"], report.Attempts.Select(static attempt => attempt.Result));
        Assert.All(report.Attempts.SelectMany(static attempt => attempt.BusyPages), static page =>
        {
            Assert.Equal((3, 3, 0, "buffer-heads"), (page.Count, page.Expected, page.Unattributed, page.Class));
            Assert.Empty(page.Holders);
        });
        // Those that the kernel dumped, by its own log; the second attempt met more of them.
        ulong[] offenders = [.. File.ReadLines(Path.Combine(KernelSample.Folder, "s5-ext4-journal-buffers", "offenders.txt")).Select(static line => System.Convert.ToUInt64(line.Split(' ')[1], 16))];
        Assert.Equal(offenders, report.Attempts[1].BusyPages.Select(static page => page.Pfn));
        Assert.All(report.Attempts[0].BusyPages, page => Assert.Contains(page.Pfn, offenders));
        Assert.Contains("nobody is to blame", report.Attempts[3].Verdict, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("s7-busy-retry-then-success/trace.dat")]
    [InlineData("s7-busy-retry-then-success/trace.txt.gz")]
    public void A_success_names_the_page_that_cost_its_retries_and_who_held_it_without_a_stack(string file)
    {
        BlameReport report = KernelSample.Blame(file);
        AttemptReport attempt = report.Attempts[1];
        Assert.Equal(("success", 37, 38), (attempt.Result, attempt.Retries, attempt.RangesTried));
        BusyPageReport page = Assert.Single(attempt.BusyPages);
        Assert.Equal((0xf024UL, 37, 0), (page.Pfn, page.Ranges, page.Unattributed));
        HolderReport holder = Assert.Single(page.Holders);
        Assert.Equal((1, "kt"), (holder.References, holder.Task!.Comm));
        Assert.Empty(holder.Stack);
        Assert.Empty(report.AgainstTheRules);
    }

    [Theory]
    [InlineData("s8-lost-events/record.dat")]
    [InlineData("s8-lost-events/trace_pipe.txt.gz")]
    [InlineData("s8-lost-events/trace-ring-overrun.txt.gz")]
    public void Where_events_were_lost_nobody_is_named_for_what_the_trace_does_not_have(string file)
    {
        BlameReport report = KernelSample.Blame(file);
        Assert.DoesNotContain(report.Attempts, static attempt => attempt.Result == "busy");
        Assert.DoesNotContain(report.Attempts.SelectMany(static attempt => attempt.BusyPages), static page => page.Holders.Count > 0);
        Assert.True(report.DataQuality[TraceCounter.Lost] > 0);
        Assert.Contains(report.Notes, static note => note.StartsWith("events are missing", StringComparison.Ordinal));
        Assert.DoesNotContain(report.HeldAtEnd, static row => row.Suspicious);
    }

    [Theory]
    [InlineData("s9-thp-tail-page-pinned/trace.dat")]
    [InlineData("s9-thp-tail-page-pinned/trace.txt.gz")]
    public void A_reference_on_a_tail_is_the_heads_and_asking_for_the_tail_answers_for_the_head(string file)
    {
        BlameReport report = KernelSample.Blame(file);
        BusyPageReport page = Assert.Single(report.Attempts[0].BusyPages);
        Assert.Equal((0xf400UL, 3, 2), (page.Pfn, page.Count, page.Expected));
        Assert.Equal("pipe", Assert.Single(page.Holders).Class);
        using TraceInput input = TraceInput.Open(Path.Combine(KernelSample.Folder, file));
        PageReport tail = TraceAnalysis.Page(input, 0xf464, new BlameOptions { AtNs = 23_930_000_000 });
        Assert.Equal((0xf400UL, 0xf464UL, "live"), (tail.Pfn, tail.Asked, tail.State));
        Assert.Contains("__do_sys_vmsplice", Assert.Single(tail.Holders).Stack);
    }
}
