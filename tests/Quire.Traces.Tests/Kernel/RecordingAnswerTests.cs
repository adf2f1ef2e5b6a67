using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>
/// Recordings of Linux 6.1 and 6.12 of several configurations, each with what really happened in its <c>ground-truth.md</c>: the answer names the page, the task, the function and the
/// class that the table says, from trace.dat and from the kernel's text alike.
/// </summary>
public sealed class RecordingAnswerTests
{
    /// <summary>Folder, results of the attempts, the attempt that is asked for (from 1), its busy pages, holder's task, a function of its stack, class, references a page, whether it was given back.</summary>
    private static readonly (string Folder, string Results, int Attempt, int Pages, string Task, string Function, string Class, int References, bool IsReleased)[] s_held =
    [
        ("vmsplice-6.1", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-6.12-alt", "busy success", 1, 1, "kt", "iov_iter_get_pages2", "pipe", 1, true),
        ("vmsplice-mono-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-tsc-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-nokmem-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-nocmaevents-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-trigger-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-mixed-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-subbuf-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-instance-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("vmsplice-nostack-6.12", "busy success", 1, 1, "kt", "", "unknown", 1, true),
        ("vmsplice-nostack-6.12-alt", "busy success", 1, 1, "kt", "", "unknown", 1, true),
        ("longterm-fails-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("thp-head-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("thp-tail-6.1", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("thp-tail-6.12", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
        ("thp-pin-6.12", "busy success", 1, 1, "kt", "pagehold_pin_pages", "short-pin", 16, true),
        ("hugetlb-6.12-alt", "busy busy", 1, 1, "kt", "iov_iter_get_pages2", "pipe", 1, true),
        ("o-direct-read-6.1", "busy success", 1, 24, "kt-odread", "bio_iov_iter_get_pages", "direct-io", 1, true),
        ("o-direct-read-6.12", "busy success", 1, 24, "kt-odread", "bio_iov_iter_get_pages", "direct-io", 1024, true),
        ("o-direct-read-6.12-alt", "busy success", 1, 24, "kt-odread", "bio_iov_iter_get_pages", "direct-io", 1024, true),
        ("o-direct-write-6.12", "busy success", 1, 24, "kt-odwrite", "bio_iov_iter_get_pages", "direct-io", 1024, true),
        ("uring-read-6.12", "busy success", 1, 24, "kt", "io_submit_sqes", "async-io", 1024, true),
        ("uring-write-6.1", "busy success", 1, 24, "kt", "io_submit_sqes", "async-io", 1, true),
        ("uring-write-6.12", "busy success", 1, 24, "kt", "io_submit_sqes", "async-io", 1024, true),
        ("pvm-6.12", "busy success", 1, 1, "kt-pvm", "process_vm_rw_core.constprop.0", "short-pin", 1024, true),
        ("pin-kept-6.1", "busy success", 1, 3, "kt", "pagehold_pin_pages", "short-pin", 1024, true),
        ("pin-kept-6.12", "busy success", 1, 3, "kt", "pagehold_pin_pages", "short-pin", 1024, true),
        ("put-timer-6.12", "busy success", 1, 1, "kt", "pagehold_get_pages", "short-pin", 1, true),
        ("put-work-6.12", "busy success", 1, 1, "kt", "pagehold_pin_pages", "short-pin", 1024, true),
        ("splice-file-6.1", "busy busy success", 1, 1, "kt", "copy_page_to_iter", "pipe", 1, true),
        ("splice-file-6.12", "busy busy success", 1, 1, "kt", "splice_folio_into_pipe", "pipe", 1, true),
        ("splice-file-6.12-alt", "busy busy success", 1, 1, "kt", "splice_folio_into_pipe", "pipe", 1, true),
        ("splice-file-6.1", "busy busy success", 2, 1, "kt", "generic_pipe_buf_get", "pipe", 1, true),
        ("splice-file-6.12", "busy busy success", 2, 1, "kt", "generic_pipe_buf_get", "pipe", 1, true),
        ("splice-file-6.12-alt", "busy busy success", 2, 1, "kt", "generic_pipe_buf_get", "pipe", 1, true),
        ("leak-6.1", "busy busy", 2, 300, "kt", "pagehold_leak_pages", "short-pin", 1, false),
        ("leak-6.12", "busy busy", 2, 300, "kt", "pagehold_leak_pages", "short-pin", 1, false),
        ("offline-6.12-hotplug", "busy success", 1, 1, "kt", "__do_sys_vmsplice", "pipe", 1, true),
    ];

    public static TheoryData<string, string, int> Held
    {
        get
        {
            TheoryData<string, string, int> data = [];
            for (int row = 0; row < s_held.Length; row++)
            {
                data.Add(s_held[row].Folder, "trace.dat", row);
                data.Add(s_held[row].Folder, "trace.txt.gz", row);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Held))]
    public void Who_held_the_pages_is_who_really_held_them(string folder, string file, int row)
    {
        (_, string results, int number, int pages, string task, string function, string kind, int references, bool isReleased) = s_held[row];
        BlameReport report = KernelSample.Blame($"{folder}/{file}");
        Assert.Equal(results, string.Join(' ', report.Attempts.Select(static attempt => attempt.Result)));
        AttemptReport attempt = report.Attempts[number - 1];
        Assert.Equal(pages, attempt.BusyPages.Count);
        Assert.All(attempt.BusyPages, page =>
        {
            HolderReport holder = Assert.Single(page.Holders);
            Assert.Equal((task, kind, references, isReleased), (holder.Task!.Comm, holder.Class, holder.References, holder.ReleasedNs is not null));
            Assert.True(function.Length == 0 ? holder.Stack.Count == 0 : holder.Stack.Contains(function), $"0x{page.Pfn:x}: {string.Join(" < ", holder.Stack)}");
            Assert.Equal(page.Count - page.Expected, holder.References + page.Unattributed);
            Assert.True(holder.Confidence >= 0.5, $"0x{page.Pfn:x}: confidence {holder.Confidence}");
        });
    }

    public static TheoryData<string> Nobodys { get; } = ["kpageflags-6.12", "uring-fixed-6.12", "uring-fixed-6.12-alt", "no-memory-6.12"];

    [Theory]
    [MemberData(nameof(Nobodys))]
    public void Where_nobody_was_to_blame_nobody_is_blamed(string folder)
    {
        foreach (string file in (string[])["trace.dat", "trace.txt.gz"])
        {
            BlameReport report = KernelSample.Blame($"{folder}/{file}");
            Assert.Empty(report.AgainstTheRules);
            Assert.DoesNotContain(report.Attempts, static attempt => attempt.Result == "busy" || attempt.BusyPages.Count > 0);
        }
    }

    [Theory]
    [InlineData("leak-6.1")]
    [InlineData("leak-6.12")]
    [InlineData("leak-6.12-alt")]
    public void A_leak_is_the_first_row_with_twice_as_many_takings_as_puts(string folder)
    {
        BlameReport report = KernelSample.Blame($"{folder}/trace.dat", new BlameOptions { Leaks = true });
        HeldRow row = report.HeldAtEnd[0];
        Assert.Equal((300L, 300, 600L, 300L, true), (row.References, row.Pages, row.SiteTaken, row.SiteReleased, row.Suspicious));
        Assert.Contains(row.Stack, static frame => frame.StartsWith("pagehold_leak_pages", StringComparison.Ordinal));
        Assert.Contains("leak: pagehold_leak_pages", report.AgainstTheRules[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exit-gather-6.1")]
    [InlineData("exit-gather-6.12")]
    [InlineData("exit-gather-6.12-alt")]
    [InlineData("fork-storm-6.12")]
    public void A_dying_process_is_told_by_the_batch_that_puts_its_pages_late(string folder)
    {
        AttemptReport attempt = Assert.Single(KernelSample.Blame($"{folder}/trace.dat").Attempts);
        Assert.Equal("busy", attempt.Result);
        HolderReport[] holders = [.. attempt.BusyPages.SelectMany(static page => page.Holders)];
        Assert.NotEmpty(holders);
        Assert.All(holders, static holder => Assert.Equal("exit-batch", holder.Class));
        Assert.All(holders.Where(static holder => holder.ReleasedTask is not null), static holder => Assert.StartsWith("kt-", holder.ReleasedTask!.Comm, StringComparison.Ordinal));
    }

    [Fact]
    public void Where_the_taking_was_overwritten_it_cannot_be_told_who_holds_the_page()
    {
        AttemptReport attempt = Assert.Single(KernelSample.Blame("small-ring-6.12/trace.dat").Attempts);
        Assert.Equal((0x7800UL, null), (Assert.Single(attempt.BusyPages).Pfn, attempt.BusyPages[0].Count));
        Assert.Contains("the trace cannot tell who holds it", attempt.Verdict, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_windows_and_of_tasks_each_is_told_its_own_pages()
    {
        AttemptReport windows = KernelSample.Blame("three-windows-6.12/trace.dat").Attempts[^1];
        Assert.Equal([(0x740aUL, "pipe", 1), (0x7446UL, "short-pin", 1), (0x7482UL, "short-pin", 1024)],
            windows.BusyPages.Select(static page => (page.Pfn, page.Holders[0].Class, page.Holders[0].References)));
        IReadOnlyList<AttemptReport> tasks = KernelSample.Blame("two-tasks-6.12/trace.dat").Attempts;
        Assert.Equal(["success", "success", "success", "success", "busy"], tasks.Select(static attempt => attempt.Result));
        Assert.Equal([0x7464UL], tasks[0].BusyPages.Select(static page => page.Pfn));
        Assert.Equal([0x7658UL], tasks[1].BusyPages.Select(static page => page.Pfn));
        Assert.Equal([0x7464UL, 0x7658UL], tasks[4].BusyPages.Select(static page => page.Pfn));
    }

    [Theory]
    [InlineData("perf-script-6.12/perf-script.txt.gz", "__do_sys_vmsplice")]
    [InlineData("perf-script-6.12/perf-script-symoff.txt.gz", "__do_sys_vmsplice")]
    [InlineData("perf-script-6.12/perf-script-nostack.txt.gz", null)]
    [InlineData("vmsplice-texts-6.12/trace-latency.txt.gz", "__do_sys_vmsplice")]
    [InlineData("vmsplice-texts-6.12/trace-nohashptr.txt.gz", "__do_sys_vmsplice")]
    [InlineData("vmsplice-texts-6.12/trace-noirqinfo.txt.gz", "__do_sys_vmsplice")]
    [InlineData("vmsplice-texts-6.12/trace-notgid.txt.gz", "__do_sys_vmsplice")]
    [InlineData("vmsplice-texts-6.12/trace-symaddr.txt.gz", "__do_sys_vmsplice")]
    [InlineData("vmsplice-texts-6.12/trace-symoffset.txt.gz", "__do_sys_vmsplice")]
    [InlineData("vmsplice-texts-6.12/trace-fields.txt.gz", null)]
    public void Every_way_to_print_the_same_buffer_gives_the_same_answer(string file, string? function)
    {
        BlameReport report = KernelSample.Blame(file);
        Assert.Equal(["busy", "success"], report.Attempts.Select(static attempt => attempt.Result));
        HolderReport holder = Assert.Single(Assert.Single(report.Attempts[0].BusyPages).Holders);
        Assert.Equal("kt", holder.Task!.Comm);
        Assert.True(function is null ? holder.Stack.Count == 0 : holder.Stack.Contains(function), string.Join(" < ", holder.Stack));
    }

    [Theory]
    [InlineData("vmsplice-6.12/trace.txt.gz")]
    [InlineData("s5-ext4-journal-buffers/trace.txt.gz")]
    [InlineData("splice-file-6.1/trace.dat")]
    public void A_converted_trace_gives_the_same_answer(string file)
    {
        string path = Path.Combine(Path.GetTempPath(), $"quire-{Guid.NewGuid():n}.dat");
        try
        {
            using (TraceInput input = TraceInput.Open(Path.Combine(KernelSample.Folder, file)))
            {
                TraceConvert.ToTraceDat(input, path);
            }

            using TraceInput converted = TraceInput.Open(path);
            Assert.Equal(Gist(KernelSample.Blame(file)), Gist(TraceAnalysis.Blame(converted, new BlameOptions { All = true })));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Gist(BlameReport report) => string.Join('\n', report.Attempts.Select(static attempt =>
        $"{attempt.Verdict}: {string.Join(", ", attempt.BusyPages.Select(static page => $"0x{page.Pfn:x} {page.Count} {page.Expected} {page.Reason} {string.Join(' ', page.Holders.Select(static holder => $"{holder.Task} {holder.Site} {holder.Class} {holder.Confidence}"))}"))}"));
}
