using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Each way in which a line may begin, a value be printed and a stack be written.</summary>
public sealed class TextDialectTests
{
    private const string Set = "page_ref_set: pfn=0xf344 flags=none count=1 mapcount=0 mapping=0000000000000000 mt=4 val=1";

    [Theory]

    // The kernel: 4.6 to 5.15 have four characters of flags, later ones five, those for real time up to eight; the option may be off.
    [InlineData("              sh-49    [001] d..2    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49      [001] .....    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49      [001] dNZff    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49      [001] d.Lh1.13    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49      [001]    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("          <idle>-0       [127] D.h1. 99999.000001: ", "<idle>", 0, 127, 99_999_000_001_000)]
    [InlineData("           <...>-1234567 [003] ..... 12345.678901: ", "<...>", 1234567, 3, 12_345_678_901_000)]

    // With the option record-tgid; 4.13 had it behind the CPU.
    [InlineData("              sh-49      (-------) [001] .....    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49      (     49) [001] .....    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49    ( 123) [001] ....    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh-49    [001] (12345) ....    16.676751: ", "sh", 49, 1, 16_676_751_000)]

    // Names with what the line itself is made of.
    [InlineData("   kworker/u4:0-8        [000] .....    16.676751: ", "kworker/u4:0", 8, 0, 16_676_751_000)]
    [InlineData("  my app-1 [001]-77      [000] .....    16.676751: ", "my app-1 [001]", 77, 0, 16_676_751_000)]
    [InlineData(" a-b: c=1 (x)--5-6       [002] .....    16.676751: ", "a-b: c=1 (x)--5", 6, 2, 16_676_751_000)]
    [InlineData("sh-49 [001] ..... 16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("\tsh-49\t[001]\t.....\t16.676751: ", "sh", 49, 1, 16_676_751_000)]

    // Clocks: ns, and those that count something else.
    [InlineData("              sh-49      [001] .....    16.676751234: ", "sh", 49, 1, 16_676_751_234)]
    [InlineData("              sh-49      [001] ..... 3923478234: ", "sh", 49, 1, 3_923_478_234)]

    // The latency format: µs since the first event; with verbose; with trace-cmd's seconds.
    [InlineData("  <idle>-0         0d..1.   12us+: ", "<idle>", 0, 0, 12_000)]
    [InlineData("  <idle>-0       0d.h2  123us : ", "<idle>", 0, 0, 123_000)]
    [InlineData("a-b x123-77     12d..1.  100us!: ", "a-b x123", 77, 12, 100_000)]
    [InlineData("      sh-49        1.....   12345: ", "sh", 49, 1, 12_345)]
    [InlineData("      kt-58      0d....    14.703730: ", "kt", 58, 0, 14_703_730_000)]
    [InlineData("      kt-58      0d....    14.703730231: ", "kt", 58, 0, 14_703_730_231)]
    [InlineData("              sh      49   1 1 00000002 0000001f [00fe4c5f] 12.345ms (+0.012ms): ", "sh", 49, 1, 16_665_695_000)]

    // trace-cmd: the difference of times, the name of a file or an instance.
    [InlineData("              kt-58    [000]    14.704133: (+403)   ", "kt", 58, 0, 14_704_133_000)]
    [InlineData("guest.dat:               kt-58    [000]    14.703730: ", "kt", 58, 0, 14_703_730_000)]

    // perf script, without and with a process's number, with a thread nobody knows.
    [InlineData("sh    49 [001]    16.676751: page_ref:", "sh", 49, 1, 16_676_751_000)]
    [InlineData("              sh    48/49    [001]    16.676751234: page_ref:", "sh", 49, 1, 16_676_751_234)]
    [InlineData("my app-1 [x]     7 [001]    16.676751:   page_ref:", "my app-1 [x]", 7, 1, 16_676_751_000)]
    [InlineData(":-1    -1 [001]    16.676751: page_ref:", "<...>", -1, 1, 16_676_751_000)]

    // Out of logs and mails.
    [InlineData("[   12.345678]       sh-49        1d..1. 16676751us : ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("<4>[   12.345678][   T49]       sh-49        1d..1. 16676751us : ", "sh", 49, 1, 16_676_751_000)]
    [InlineData(">> >              sh-49      [001] .....    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    [InlineData("trace.txt:123:              sh-49      [001] .....    16.676751: ", "sh", 49, 1, 16_676_751_000)]
    public void A_line_says_who_where_and_when(string begin, string comm, int pid, int cpu, long time)
    {
        TextEvents text = TextEvents.OfText($"{begin}{Set}\n{begin}{Set.Replace("val=1", "val=2", StringComparison.Ordinal)}");
        Assert.Equal(2, text.All.Count);
        foreach (SeenEvent seen in text.All)
        {
            Assert.Equal(("page_ref_set", comm, pid, cpu, time), (seen.Name, seen.Comm, seen.Pid, seen.Cpu, seen.Time));
            Assert.Equal(0xf344ul, seen.Fields["pfn"]);
            Assert.Equal("none", seen.Fields["flags"]);
        }

        Assert.Equal([1L, 2L], text.All.Select(static seen => (long)seen.Fields["val"]));
    }

    [Theory]
    [InlineData("flags=0x400000000080068", "flags", 0x400000000080068ul)]
    [InlineData("flags=uptodate|lru", "flags", "uptodate|lru")]
    [InlineData("mapping=ffff8800312a4b01", "mapping", 0xffff8800312a4b01ul)]
    [InlineData("mapping=00000000d0dd1883", "mapping", 0xd0dd1883ul)]
    [InlineData("mapping=c1234567", "mapping", 0xc1234567ul)]
    [InlineData("mapping=12345678", "mapping", 0x12345678ul)]
    [InlineData("mapping=(nil)", "mapping", 0ul)]
    [InlineData("mapping=          (null)", "mapping", 0ul)]
    [InlineData("mapping=(____ptrval____)", "mapping", 0ul)]
    [InlineData("mapping=0xffff888000000001", "mapping", 0xffff888000000001ul)]
    [InlineData("mapping=0x1f (31)", "mapping", 31ul)]
    [InlineData("mapcount=-1", "mapcount", -1L)]
    [InlineData("mapcount=0xffffffff", "mapcount", -1L)]
    [InlineData("mapcount=0xffffffff (-1)", "mapcount", -1L)]
    [InlineData("mt=cma", "mt", "cma")]
    public void A_value_is_a_number_where_it_says_one_and_a_text_where_it_says_a_name(string word, string field, object value)
    {
        string before = field == "pfn" ? "" : "pfn=0x1 ";
        TextEvents text = TextEvents.OfText($"sh-49 [001] ..... 16.676751: page_ref_set: {before}{word} val=-3\n");
        Assert.Equal(value, text.All.Single().Fields[field]);
        Assert.Equal(-3L, text.All.Single().Fields["val"]);
        Assert.Equal(word.Contains("ptrval", StringComparison.Ordinal) ? 1 : 0, text["pointers_hidden"]);
        Assert.Equal(word == "mapping=00000000d0dd1883" ? 1 : 0, text["pointers_hashed"]);
    }

    [Theory]
    [InlineData("mm_migrate_pages: nr_succeeded=3 nr_failed=1 nr_thp_succeeded=0 nr_thp_failed=0 nr_thp_split=0 nr_split=2 mode=MIGRATE_SYNC reason=contig_range",
        "succeeded=3 failed=1 thp_succeeded=0 thp_failed=0 thp_split=0 large_folio_split=2 mode=MIGRATE_SYNC reason=contig_range")]
    [InlineData("cma_alloc: pfn=ec00 page=ffffea0000012345 count=64 align=0", "pfn=60416 page=18446719884453815109 count=64 align=0")]
    [InlineData("cma_alloc_start: name=12 count=64 align=0", "name=12 count=64 align=0")]
    [InlineData("set_migration_pte: addr=55d0c5a9d000, pte=34000000000003f2 order=0", "addr=94355157798912 pte=3746994889972253682 order=0")]
    [InlineData("test_pages_isolated: start_pfn=0xec00 end_pfn=0xfc00 fin_pfn=0xf1dc ret=fail", "start_pfn=60416 end_pfn=64512 fin_pfn=61916 ret=fail")]
    [InlineData("page_ref_set: [FAILED TO PARSE] pfn=0x1 flags=0x2 count=0xffffffff mapcount=0x0 mapping=0x0 mt=0x4 val=0x1", "pfn=1 flags=2 count=-1 mapcount=0 mapping=0 mt=4 val=1")]
    [InlineData("sched_switch: prev_comm=a b=c prev_pid=1 prev_state=S ==> next_comm=12 next_pid=2", "prev_comm=a b=c prev_pid=1 prev_state=S ==> next_comm=12 next_pid=2")]
    [InlineData("some_event: half a word, x=1, y=a b, z=-2", "text=half a word x=1 y=a b z=-2")]
    [InlineData("some_event: nothing but words", "text=nothing but words")]
    [InlineData("tracing_mark_write: count=1 is what I wrote", "ip=tracing_mark_write buf=count=1 is what I wrote")]
    [InlineData("print:                tracing_mark_write: hello", "ip=tracing_mark_write buf=hello")]
    [InlineData("schedule <-do_exit", "ip=schedule parent_ip=do_exit")]
    public void Fields_have_the_kernels_names(string line, string fields)
    {
        SeenEvent seen = TextEvents.OfText($"sh-49 [001] ..... 16.676751: {line}\n").All.Single();
        Assert.Equal(fields, string.Join(' ', seen.Fields.Select(static pair => $"{pair.Key}={pair.Value}")));
    }

    [Fact]
    public void A_stack_belongs_to_the_last_event_of_its_cpu_and_task_and_not_to_the_line_before()
    {
        TextEvents text = TextEvents.OfText("""
              a-1      [000] .....     1.000001: page_ref_set: pfn=0x1 val=1
              b-2      [001] .....     1.000002: page_ref_set: pfn=0x2 val=1
              a-1      [000] .....     1.000003: <stack trace>
             => of_a
             => outer+0x12/0x34
              b-2      [001] .....     1.000004: <stack trace>
             => of_b
             => in_module [ext4]
              a-1      [000] d....     1.000005: page_ref_set: pfn=0x3 val=1
              a-1      [000] d.h..     1.000006: page_ref_set: pfn=0x4 val=1
              a-1      [000] d.h..     1.000007: <stack trace>
             => of_interrupt+0x1/0x2 [nvme]
              a-1      [000] d....     1.000008: <stack trace>
             => of_interrupted <ffffffff8112a03d>
              c-3      [000] .....     1.000009: <stack trace>
             => of_nobody
            """);
        Assert.Equal(["of_a outer", "of_b in_module [ext4]", "of_interrupted", "of_interrupt [nvme]"], text.All.Select(static seen => string.Join(' ', seen.Stack)));
        Assert.Equal(0xffffffff8112a03dul, text.All[2].Addresses.Single());
        Assert.Equal(1, text[TraceCounter.StackAlone]);
    }

    [Fact]
    public void A_loss_between_an_event_and_a_stack_parts_them_and_stands_before_the_next_event()
    {
        TextEvents text = TextEvents.OfText("""
              a-1      [000] .....     1.000001: page_ref_set: pfn=0x1 val=1
            CPU:0 [LOST 12 EVENTS]
            CPU:0 [LOST 3 EVENTS]
              a-1      [000] .....     1.000003: <stack trace>
             => of_a
              a-1      [000] .....     1.000004: page_ref_set: pfn=0x2 val=1
            CPU:1 [LOST EVENTS]
            CPU:0 [EVENTS DROPPED]
              b-1      [001] .....     1.000005: page_ref_set: pfn=0x3 val=1
            CPU:1 [7 EVENTS DROPPED]
              b-1      [001] .....     1.000006: page_ref_set: pfn=0x4 val=1
            """);
        Assert.Equal([0, 15, -1, 7], text.All.Select(static seen => seen.Lost));
        Assert.All(text.All, static seen => Assert.Empty(seen.Stack));
        Assert.Equal((22, 2, 1), (text[TraceCounter.Lost], text[TraceCounter.LostUnknown], text[TraceCounter.StackAlone]));
    }

    [Fact]
    public void A_stack_of_user_space_is_not_the_kernels()
    {
        TextEvents text = TextEvents.OfText("""
              a-1      [000] .....     1.000001: page_ref_set: pfn=0x1 val=1
              a-1      [000] .....     1.000002: <stack trace>
             => of_a
              a-1      [000] .....     1.000003: <user stack trace>
             =>  <00007f55759bc000>
             => /bin/sh[+0x1234]
              a-1      [000] .....     1.000004: page_ref_set: pfn=0x2 val=1
              a-1      [000] .....     1.000005: <user stack trace>
             => /bin/sh[+0x1234]
            """);
        Assert.Equal(["of_a", ""], text.All.Select(static seen => string.Join(' ', seen.Stack)));
        Assert.Equal(2, text["user_stacks_skipped"]);
    }

    [Fact]
    public void Perf_prints_the_stack_behind_the_event_with_user_frames_at_its_end()
    {
        TextEvents text = TextEvents.OfText("""
            # ========
            # captured on    : Wed Nov 17 10:24:16 2021
            # os release : 5.10.0-perf
            # cpuid : x
            # ========
            #
            cat  1234 [001]  5.000001: page_ref:page_ref_mod_unless: pfn=0x1 flags=0x4 count=2 mapcount=0 mapping=(nil) mt=1 val=1 ret=1
            	ffffffff8112a2fb __page_ref_mod_unless+0x4b ([kernel.kallsyms])
            	ffffffff8112a2fb inlined_one (inlined)
            	ffffffffc0401234 ext4_read+0x12 ([ext4])
            	ffffffff8112a200 [unknown] ([kernel.kallsyms])
            	    7f55759bc000 read+0x10 (/usr/lib/libc.so.6)
            	               0 [unknown] ([unknown])

            cat  1234 [001]  5.000002: PERF_RECORD_LOST lost 24

               cafe 99/1235 [000]  5.000003: page_ref:page_ref_set: pfn=0x2 val=1
            	    7f55759bc000 read+0x10 (/usr/lib/libc.so.6)

            cat  1234 [001]  5.000004: page_ref:page_ref_set: pfn=0x3 val=1
            cat  1234 [001]  5.000005: page_ref:page_ref_set: pfn=0x4 val=1
            	ffffffff8112a2fb __page_ref_mod_unless+0x4b ([kernel.kallsyms])
            """);
        Assert.Equal(("perf script", "5.10.0-perf"), (text.Format, text.Properties["uname"]));
        Assert.Equal(["__page_ref_mod_unless inlined_one ext4_read [ext4] 0xffffffff8112a200", "", "", "__page_ref_mod_unless"], text.All.Select(static seen => string.Join(' ', seen.Stack)));
        Assert.Equal([0L, 0, 24, 0], text.All.Select(static seen => seen.Lost));
        Assert.Equal(["page_ref_mod_unless", "page_ref_set", "page_ref_set", "page_ref_set"], text.All.Select(static seen => seen.Name));
        Assert.Equal(0xffffffff8112a2fb, text.All[0].Addresses[0]);
        Assert.Equal("", text.Quality.Replace("lost_events=24", "", StringComparison.Ordinal));
    }

    [Fact]
    public void An_event_a_little_behind_another_cpus_is_put_right_and_one_far_behind_is_counted()
    {
        TextEvents text = TextEvents.OfText("""
              a-1      [000] .....     5.000002: page_ref_set: pfn=0x1 val=1
              b-2      [001] .....     5.000001: page_ref_set: pfn=0x2 val=1
              a-1      [000] .....     1.000001: page_ref_set: pfn=0x3 val=1
              a-1      [000] .....     1.000000: page_ref_set: pfn=0x4 val=1
            """);
        Assert.Equal([2ul, 1ul, 3ul, 4ul], text.All.Select(static seen => (ulong)seen.Fields["pfn"]));
        Assert.Equal((1, 2), (text["events_reordered"], text[TraceCounter.TimeBackwards]));
    }

    [Fact]
    public void The_head_of_a_latency_trace_tells_the_kernel_and_the_loss()
    {
        TextEvents text = TextEvents.OfText("""
            # tracer: wakeup
            #
            # wakeup latency trace v1.1.5 on 4.19.0-test+
            # --------------------------------------------------------------------
            # latency: 355 us, #1/5, CPU#2 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:1)
            #    -----------------
            #    | task: migration/2-20 (uid:0 nice:0 policy:1 rt_prio:99)
            #    -----------------
              <idle>-0         2d.h4.    1us : page_ref_set: pfn=0x1 val=1
            """);
        Assert.Equal(("4.19.0-test+", "wakeup"), (text.Properties["uname"], text.Properties["tracer"]));
        Assert.Equal(4, text[TraceCounter.Lost]);
        Assert.Equal(4, text.All.Single().Lost);
    }

    [Fact]
    public void A_cut_line_is_counted_and_gives_no_event()
    {
        TextEvents text = TextEvents.OfText("""
            01] .....     1.000001: page_ref_set: pfn=0x1 val=1
              a-1      [000] .....     1.000002: page_ref_set: pfn=0x2 flags=none count=1
              a-1      [000] .....     1.000003: page_ref_set: pfn=0x3 val=1
              a-1      [000] .....     1.000004: my_event: a=1 b=2
              a-1      [000] .....     1.000005: my_event: a=1
              a-1      [000] .....     1.0000

              a-1      [000] .....     1.000006: page_ref_set: pfn=0x4 val=
            """);
        Assert.Equal([3L, 4L], text.All.Select(static seen => (seen.Time / 1000) - 1_000_000));
        Assert.Equal((5, 1), (text["bad_lines"], text["first_bad_line"]));
    }

    [Fact]
    public void What_has_no_event_is_refused_with_its_first_line()
    {
        TraceFormatException exception = Assert.Throws<TraceFormatException>(() => TextEvents.OfText("\n  Dear all,\n\nmy CMA fails.\nregards"));
        Assert.EndsWith("no event of any known form (ftrace text, trace-cmd report, perf script) in 5 lines; the first line is 'Dear all,'.", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Instances_have_cpus_of_their_own_and_all_cpus_are_known_before_the_first_event_is_read()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, """
                cpus=2
                              kt-58    [000]    14.703730: page_ref_set:         pfn=0x1 val=1
                other:               kt-58    [000]    14.703731: page_ref_set:         pfn=0x2 val=1
                              kt-58    [000]    14.703732: kernel_stack:         <stack trace >
                => of_first (ffffffff8112a03d)
                other:               kt-58    [000]    14.703733: kernel_stack:         <stack trace >
                => of_second (ffffffff8112a03e)
                              kt-58    [007]    14.703734: page_ref_set:         pfn=0x3 val=1

                """);
            using TraceInput input = TraceInput.Open(file);
            Assert.Equal([(0, ""), (0, "other"), (7, "")], input.Source.Cpus.Select(static cpu => (cpu.Number, cpu.Instance)));
            string[] stacks = ["of_first", "of_second", ""];
            for (int at = 0; at < 3; at++)
            {
                Assert.True(input.TryRead(out TraceRecord record));
                Assert.Equal((at, stacks[at]), (record.Stream, string.Join(' ', record.Stack.ToArray().Select(input.SymbolOf))));
            }
        }
        finally
        {
            File.Delete(file);
        }
    }
}
