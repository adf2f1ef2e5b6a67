using System.Text.Json;
using Quire.Tests;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

/// <summary>Recordings that lack, contradict or garble: always an answer, with what is wrong counted.</summary>
public class HostileRecordingTests
{
    [Fact]
    public void An_empty_recording_holds_nothing()
    {
        BlameReport report = Blame(new RecordingBuilder());

        Assert.Equal("held at end: nothing", report.Verdict);
        Assert.Empty(report.AgainstTheRules);
        Assert.Null(report.Source.FirstNs);
        Assert.Equal(0, Stat(new RecordingBuilder()).Source.Events);
    }

    [Fact]
    public void A_trace_dat_that_is_cut_short_never_says_by_its_lost_snapshot_that_nothing_is_held()
    {
        string whole = Scratch.FreshPath("whole.dat");
        using (TraceInput recording = TraceInput.Open(Scenes.Server().Save()))
        {
            TraceConvert.ToTraceDat(recording, whole);
        }

        // Its last pages are those of the snapshot of the end.
        byte[] bytes = File.ReadAllBytes(whole);
        string cut = Scratch.FreshPath("cut.dat");
        File.WriteAllBytes(cut, bytes[..^8192]);
        using TraceInput input = TraceInput.Open(cut);
        BlameReport report = TraceAnalysis.Blame(input, new BlameOptions());

        Assert.Equal(1, report.DataQuality[TraceCounter.Truncated]);
        Assert.False(report.Source.EndSnapshot);
        Assert.StartsWith("held as far as the damaged file tells: 99 pages", report.Verdict, StringComparison.Ordinal);
        Assert.Contains(report.Notes, static note => note.StartsWith("basis: exact as far as it goes", StringComparison.Ordinal));
    }

    [Fact]
    public void A_recording_whose_formats_can_not_be_read_is_refused_and_no_answer_is_made_up()
    {
        RecordingBuilder full = Scenes.Server();
        byte[] bytes = full.ToBytes();
        // The kind of every dictionary entry that is a format becomes one of a later version.
        byte[] name = "\nID: "u8.ToArray();
        for (int at = bytes.AsSpan().IndexOf(name); at >= 0; at = Next(bytes, name, at))
        {
            bytes[at + 1] = (byte)'X';
        }

        string path = Scratch.FreshPath("bad.qring");
        File.WriteAllBytes(path, bytes);
        Assert.Contains("not one format text", Assert.Throws<TraceFormatException>(() => TraceInput.Open(path)).Message, StringComparison.Ordinal);

        RecordingBuilder none = new([]);
        Assert.Equal("held at end: nothing", Blame(none).Verdict);
    }

    [Fact]
    public void An_event_that_lacks_a_field_without_which_it_means_nothing_is_counted_and_passed_over()
    {
        const string Take = """
            name: holder_take
            ID: 1070
            format:
            	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
            	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
            	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
            	field:int common_pid;	offset:4;	size:4;	signed:1;

            	field:unsigned long pfn;	offset:8;	size:8;	signed:0;

            print fmt: "pfn=0x%lx", REC->pfn
            """;
        const string Later = """
            name: page_teleport
            ID: 1099
            format:
            	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
            	field:int common_pid;	offset:4;	size:4;	signed:1;

            	field:unsigned long pfn;	offset:8;	size:8;	signed:0;

            print fmt: "pfn=0x%lx", REC->pfn
            """;
        RecordingBuilder recording = new([("quire", Take), ("quire", Later)]);
        recording.AddRing().Write("holder_take", Scenes.At(1), 1, ("pfn", 5ul)).Write("page_teleport", Scenes.At(2), 1, ("pfn", 5ul));

        BlameReport report = Blame(recording);

        Assert.Equal(1, report.DataQuality["events_without_fields"]);
        Assert.Equal("held at end: nothing", report.Verdict);
        StatReport stat = Stat(recording);
        Assert.Equal([("holder_take", 1L), ("page_teleport", 1L)], stat.Events.Select(static entry => (entry.Key, entry.Value)));
    }

    [Fact]
    public void Releases_touches_and_moves_of_tickets_that_nobody_took_change_nothing()
    {
        RecordingBuilder recording = new();
        recording.AddRing()
            .Write("holder_release", Scenes.At(1), 1, ("pfn", 5ul), ("ticket", 0x400001u), ("references", 3), ("remaining", 0))
            .Write("holder_touch", Scenes.At(2), 1, ("ticket", 0x400002u))
            .Write("holder_move", Scenes.At(3), 1, ("pfn", 5ul), ("ticket", 0x400003u))
            .Write("holder_count", Scenes.At(4), 1, ("ticket", 0x400004u), ("references", 9))
            .Write("holder_release", Scenes.At(5), 1, ("ticket", 0u), ("references", 1))
            .Write("holder_take", Scenes.At(6), 1, ("pfn", 5ul), ("ticket", 0u), ("references", 1));

        BlameReport report = Blame(recording);

        Assert.Equal("held at end: nothing", report.Verdict);
        Assert.Equal(4, report.DataQuality["holder_events_unmatched"]);
    }

    [Fact]
    public void A_ticket_taken_again_ends_its_first_holder_and_says_that_a_release_is_missing()
    {
        RecordingBuilder recording = new();
        recording.AddRing()
            .Write("holder_take", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("ticket", 0x400001u), ("references", 1), ("site", "A.cs:1 One"))
            .Write("holder_take", Scenes.At(2), 1, ("pfn", 6ul), ("generation", 1ul), ("ticket", 0x400001u), ("references", 1), ("site", "B.cs:2 Two"));

        BlameReport report = Blame(recording);

        Assert.Equal("B.cs:2 Two", Assert.Single(report.HeldAtEnd).Site);
        Assert.Equal(1, report.DataQuality["holder_releases_missing"]);
        Assert.Contains(report.Notes, static note => note.Contains("events are missing", StringComparison.Ordinal));
    }

    [Fact]
    public void A_holder_of_a_page_that_was_freed_is_gone_and_counted()
    {
        RecordingBuilder recording = new();
        recording.AddRing()
            .Write("holder_take", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("ticket", 0x400001u), ("references", 1))
            .Write("mm_page_free", Scenes.At(2), 1, ("pfn", 5ul), ("generation", 1ul));

        BlameReport report = Blame(recording);

        Assert.Empty(report.HeldAtEnd);
        Assert.Equal(1, report.DataQuality["holders_of_freed_pages"]);
    }

    [Fact]
    public void A_page_emptied_by_migration_is_free_though_its_frame_is_unfrozen_under_a_new_generation()
    {
        RecordingBuilder recording = new();
        recording.AddRing()
            .Write("page_ref_set", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("val", 1), ("count", 1))
            .Write("holder_take", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("ticket", 0x400001u), ("references", 1), ("kind", 5))
            .Write("page_ref_freeze", Scenes.At(2), 1, ("pfn", 5ul), ("generation", 1ul), ("val", 1), ("ret", 1))
            .Write("holder_move", Scenes.At(3), 1, ("pfn", 9ul), ("generation", 4ul), ("ticket", 0x400001u))
            .Write("page_ref_unfreeze", Scenes.At(4), 1, ("pfn", 5ul), ("generation", 2ul), ("val", 0));

        using TraceInput input = TraceInput.Open(recording.Save());
        PageReport left = TraceAnalysis.Page(input, 5, new BlameOptions());
        PageReport reached = TraceAnalysis.Page(input, 9, new BlameOptions());

        Assert.Equal(("free", 1ul, 1, (long)Scenes.At(4)), (left.State, left.Generation!.Value, left.MovedAway, left.FreedNs!.Value));
        Assert.Equal("live", reached.State);
        Assert.Single(reached.Holders);
        Assert.Equal(1, Stat(recording).Pages.LiveAtEnd); // page 9, of which nothing is known but who holds it
    }

    [Fact]
    public void An_empty_snapshot_of_the_end_says_that_nobody_holds_anything()
    {
        RecordingBuilder recording = new();
        recording.AddRing().Write("holder_take", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("ticket", 0x400001u), ("references", 1));
        recording.AddSnapshot(2, recording.End);

        BlameReport report = Blame(recording);

        Assert.Empty(report.HeldAtEnd);
        Assert.Equal(1, report.DataQuality["replay_extra"]);
    }

    [Fact]
    public void A_snapshot_of_the_end_that_is_incomplete_is_not_taken_for_the_whole_truth()
    {
        RecordingBuilder recording = new();
        recording.AddRing().Write("holder_take", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("ticket", 0x400001u), ("references", 1), ("site", "A.cs:1 One"));
        recording.AddSnapshot(2, recording.End, isComplete: false);

        BlameReport report = Blame(recording);

        Assert.Equal("A.cs:1 One", Assert.Single(report.HeldAtEnd).Site);
        Assert.False(report.Source.EndSnapshot);
    }

    [Fact]
    public void The_end_of_an_allocation_without_its_beginning_is_an_attempt_that_says_so()
    {
        RecordingBuilder recording = new();
        recording.AddRing()
            .Write("page_busy", Scenes.At(1), 1, ("pfn", 5ul), ("generation", 1ul), ("count", 2), ("expected", 1))
            .Write("cma_alloc_finish", Scenes.At(2), 1, ("name", "area"), ("count", 8), ("errorno", -16))
            .Write("page_busy", Scenes.At(3), 1, ("pfn", 6ul), ("generation", 1ul), ("count", 3), ("expected", 1), ("reason", 77));

        BlameReport report = Blame(recording);

        AttemptReport attempt = Assert.Single(report.Attempts);
        Assert.Contains("beginning is missing", attempt.Verdict, StringComparison.Ordinal);
        BusyPageReport page = Assert.Single(attempt.BusyPages);
        Assert.Equal((6ul, 2, "reason 77"), (page.Pfn, page.Unattributed, page.Reason));
        Assert.Equal(2, report.DataQuality["attempt_events_alone"]);
    }

    [Theory]
    [MemberData(nameof(ReplayTests.Seeds), MemberType = typeof(ReplayTests))]
    public void Events_of_random_fields_are_answered_and_printed(int seed)
    {
        Random random = new(seed);
        RecordingBuilder recording = new();
        RecordingBuilder.Ring[] rings = [recording.AddRing(300), recording.AddRing(300)];
        RecordingBuilder.Snapshot[] snapshots = [recording.AddSnapshot(1, Scenes.At(0)), recording.AddSnapshot(2, recording.End)];
        TraceEventFormat[] formats = [.. recording.Formats.Values];
        ulong[] odd = [0, 1, 2, 5, 0x400001, 0x400002, 7, 63, 64, uint.MaxValue, int.MaxValue, 1ul << 31, 1ul << 63, ulong.MaxValue];
        for (int i = 0; i < 500; i++)
        {
            TraceEventFormat format = formats[random.Next(formats.Length)];
            (string, object)[] fields = [.. format.Fields.Where(static field => !field.Name.StartsWith("common_", StringComparison.Ordinal)).Select(field => (field.Name, (object)odd[random.Next(odd.Length)]))];
            if (random.Next(10) == 0)
            {
                snapshots[random.Next(2)].Write(format.Name, random.Next(-1, 3), fields);
            }
            else
            {
                rings[random.Next(2)].Write(format.Name, odd[random.Next(odd.Length)] >> random.Next(30), random.Next(-1, 3), fields);
            }
        }

        using TraceInput input = TraceInput.Open(recording.Save());
        StringWriter text = new();
        BlameReport blame = TraceAnalysis.Blame(input, new BlameOptions { All = true, MaxAge = TimeSpan.FromSeconds(1) });
        ReportText.Write(text, blame, all: true);
        ReportText.Write(text, blame, all: false);
        ReportJson.Write(text, blame);
        foreach (ulong pfn in odd)
        {
            ReportText.Write(text, TraceAnalysis.Page(input, pfn, new BlameOptions()), all: true);
            ReportText.Write(text, TraceAnalysis.History(input, pfn, null), stacks: true);
            JsonDocument.Parse(Json(TraceAnalysis.History(input, pfn, null))).Dispose();
        }

        StatReport stat = TraceAnalysis.Stat(input, null);
        Assert.Equal(stat.Source.Events, stat.Events.Values.Sum());
        Assert.DoesNotContain('\r', text.ToString());
    }

    private static string Json(HistoryReport report)
    {
        StringWriter text = new();
        ReportJson.Write(text, report);
        return text.ToString();
    }

    private static int Next(byte[] bytes, byte[] what, int after)
    {
        int next = bytes.AsSpan(after + 1).IndexOf(what);
        return next < 0 ? -1 : after + 1 + next;
    }

    private static BlameReport Blame(RecordingBuilder recording)
    {
        using TraceInput input = TraceInput.Open(recording.Save());
        return TraceAnalysis.Blame(input, new BlameOptions());
    }

    private static StatReport Stat(RecordingBuilder recording)
    {
        using TraceInput input = TraceInput.Open(recording.Save());
        return TraceAnalysis.Stat(input, null);
    }
}
