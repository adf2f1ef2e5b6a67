using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel.Classes;

public sealed class RefClassesTests
{
    private static readonly (string Rule, RefRole Role, string[] Frames)[] s_stacks = [.. File.ReadLines(Path.Combine(KernelSamples.Root(), "tests", "Quire.Traces.Tests", "Kernel", "Classes", "RuleStacks.txt"))
        .Where(static line => line.Length > 0 && line[0] != '#').Select(static line => line.Split(' ', 3)).Select(static part => (part[0], part[1] == "take" ? RefRole.Take : RefRole.Put, part[2].Split(" < ")))];

    public static TheoryData<string> Rules() => [.. RefClasses.Rules.Select(static rule => rule.Id)];

    [Theory]
    [MemberData(nameof(Rules))]
    public void The_stacks_of_a_rule_meet_it_and_no_other(string id)
    {
        (string Rule, RefRole Role, string[] Frames)[] stacks = [.. s_stacks.Where(one => one.Rule == id)];
        Assert.NotEmpty(stacks);
        string[] tracing = ["trace_event_raw_event_page_ref_mod_template", "__page_ref_mod"];
        foreach ((string _, RefRole role, string[] frames) in stacks)
        {
            string[] recorded = [.. tracing, .. frames];
            RefMatch match = RefClasses.Match(recorded, role, isPin: false);
            Assert.True(match.Rule?.Id == id, $"{string.Join(" < ", frames)} is of rule {match.Rule?.Id ?? "none"}, class {match.Class}");
            Assert.Equal(match.Rule!.Class, match.Class.Name);
            Assert.InRange(match.Frame, 2, recorded.Length - 1);
            RefMatch bare = RefClasses.Match(frames, role, isPin: true);
            Assert.Equal((match.Rule, match.Frame - 2), (bare.Rule, bare.Frame));
        }
    }

    [Fact]
    public void Every_stack_written_down_is_of_a_rule_that_exists()
    {
        HashSet<string> ids = [.. RefClasses.Rules.Select(static rule => rule.Id)];
        Assert.Empty(s_stacks.Where(one => !ids.Contains(one.Rule)).Select(static one => one.Rule));
        Assert.Equal(RefClasses.Rules.Count, ids.Count);
    }

    [Fact]
    public void No_rule_is_hidden_behind_an_earlier_one()
    {
        // Two rules may list one function: then the earlier must ask for more, or be of the other role or strength, or the later never comes to decide there.
        List<string> hidden = [];
        for (int at = 0; at < RefClasses.Rules.Count; at++)
        {
            RefRule rule = RefClasses.Rules[at];
            foreach (string function in rule.Functions)
            {
                foreach (RefRule earlier in RefClasses.Rules.Take(at))
                {
                    bool isBefore = earlier.Strength == rule.Strength && (earlier.Role is null || earlier.Role == rule.Role) && earlier.Under.Count == 0 && earlier.Via.Count == 0;
                    if (isBefore && new FrameSet(earlier.Functions).Has(function.TrimEnd('*')))
                    {
                        hidden.Add($"{function} of {rule.Id} is hidden by {earlier.Id}");
                    }
                }
            }
        }

        Assert.Empty(hidden);
    }

    [Fact]
    public void Every_rule_and_class_says_what_it_must()
    {
        Assert.All(RefClasses.Rules, static rule =>
        {
            Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", rule.Id);
            Assert.True(rule.Functions.Count > 0 && rule.Functions.Distinct().Count() == rule.Functions.Count, $"{rule.Id}: {string.Join(' ', rule.Functions.GroupBy(static one => one).Where(static group => group.Count() > 1).Select(static group => group.Key))} twice");
            Assert.True(rule.Source.Length > 8, rule.Id);
            Assert.Equal(rule.Class, RefClasses.Find(rule.Class).Name);
            Assert.All(rule.Functions.Concat(rule.Under).Concat(rule.Via), static name => Assert.Matches("^[a-zA-Z_][a-zA-Z0-9_]+[*]?$", name));
        });
        string[] inCodeAlone = [RefClassTable.Unknown];
        Assert.All(RefClasses.All, one =>
        {
            Assert.Matches("^[a-z]+(-[a-z]+)*$", one.Name);
            Assert.True(one.What.Length > 3 && one.Advice.EndsWith('.'), one.Name);
            Assert.NotEmpty(one.EndedBy);
            Assert.All(one.EndedBy, static name => RefClasses.Find(name));
            Assert.True(inCodeAlone.Contains(one.Name) || RefClasses.Rules.Any(rule => rule.Class == one.Name), $"{one.Name} has no rule");
        });
        Assert.Equal(RefClasses.All.Count, RefClasses.All.Select(static one => one.Name).Distinct().Count());
        string[] asked = ["pipe", "direct-io", "async-io", "short-pin", "long-term-pin", "buffer-heads", "lru-batch", "exit-batch", "fork", "exit", "page-table-walk", "migration", "isolation", "driver", "writeback", "page-cache-reader",
            "allocation", "unknown", "mapping", "page-cache", "private-data", "swap-cache"];
        Assert.All(asked, static name => RefClasses.Find(name));
        string[] structural = ["fork", "hugetlb", "mapping", "page-cache", "private-data", "swap-cache", "allocation", "isolation"];
        Assert.Equal(structural.Order(), RefClasses.All.Where(static one => one.IsStructural).Select(static one => one.Name).Order());
        Assert.Throws<KeyNotFoundException>(static () => RefClasses.Find("nobody"));
    }

    [Fact]
    public void What_an_interrupt_found_running_did_not_ask_for_the_reference()
    {
        string[] vmsplice = ["__iov_iter_get_pages_alloc", "iov_iter_get_pages2", "__do_sys_vmsplice", "do_syscall_64"];
        RefMatch match = RefClasses.Match(["folio_put", "some_driver_done", "__handle_irq_event_percpu", "handle_irq_event", "common_interrupt", "asm_common_interrupt", .. vmsplice], RefRole.Put, false);
        Assert.Equal(("unknown", "interrupt", 1), (match.Class.Name, match.Detail, match.Frame));
        match = RefClasses.Match(["folio_put", "some_driver_poll", "handle_softirqs", "do_softirq.part.0", "__local_bh_enable_ip", .. vmsplice], RefRole.Put, false);
        Assert.Equal(("unknown", "softirq", 1), (match.Class.Name, match.Detail, match.Frame));
        match = RefClasses.Match(["folio_get", "some_handler", "exc_page_fault", "asm_exc_page_fault", .. vmsplice], RefRole.Take, false);
        Assert.Equal(("unknown", "page fault", 1), (match.Class.Name, match.Detail, match.Frame));
        Assert.Equal("direct-io", RefClasses.Of(["folio_put", "bio_release_pages", "blk_update_request", "nvme_irq [nvme]", "handle_irq_event", "asm_common_interrupt", .. vmsplice], RefRole.Put, false).Name);
    }

    [Theory]
    [InlineData("folio_put < mychip_map_pages+0x44/0x120 [mychip] < mychip_ioctl [mychip] < __x64_sys_ioctl < do_syscall_64", "driver", "mychip", 1)]
    [InlineData("try_grab_folio < gup_fast_pte_range < gup_fast_fallback < pin_user_pages_fast < mychip_map [mychip] < mychip_ioctl [mychip]", "driver", "mychip", 4)]
    [InlineData("folio_try_get < filemap_get_entry < __filemap_get_folio < myfs_lookup [xfs] < lookup_slow", "page-cache-reader", null, 3)]
    [InlineData("folio_get < xfs_something_new [xfs] < __x64_sys_ioctl", "file-system", "xfs", 1)]
    [InlineData("folio_get < new_function < __arm64_sys_frobnicate < invoke_syscall < el0_svc", "unknown", "system call frobnicate", 1)]
    [InlineData("folio_get < new_work < process_one_work < worker_thread < kthread < ret_from_fork", "unknown", "kernel worker, new_work", 1)]
    [InlineData("folio_get < new_thread < kthread < ret_from_fork_asm", "unknown", "kernel thread, new_thread", 1)]
    [InlineData("page_ref_dec_and_test < __free_pages < sys_frobnicate", "unknown", "system call frobnicate", 2)]
    [InlineData("0xffffffff81234567 < folio_get < new_function", "unknown", null, 2)]
    [InlineData("folio_get", "unknown", null, 0)]
    [InlineData("trace_event_raw_event_page_ref_mod_template < __page_ref_mod", "unknown", null, -1)]
    [InlineData("", "unknown", null, -1)]
    public void What_no_rule_knows_is_named_by_module_or_by_what_runs(string stack, string name, string? detail, int frame)
    {
        string[] frames = stack.Length == 0 ? [] : stack.Split(" < ");
        RefMatch match = RefClasses.Match(frames, RefRole.Take, isPin: false);
        Assert.Equal((name, detail, frame), (match.Class.Name, match.Detail, match.Frame));
        Assert.Equal(frame, RefClasses.FirstMeaningful(frames));
        Assert.NotEmpty(match.Advice);
    }

    [Fact]
    public void A_pin_that_nobody_explains_is_a_short_pin()
    {
        string[] frames = ["new_pin_function", "__x64_sys_frobnicate", "do_syscall_64"];
        Assert.Equal("unknown", RefClasses.Of(frames, RefRole.Take, isPin: false).Name);
        Assert.Equal("short-pin", RefClasses.Of(frames, RefRole.Take, isPin: true).Name);
        Assert.Equal("unknown", RefClasses.Of(frames, RefRole.Put, isPin: true).Name);
    }

    [Theory]
    [InlineData("folio_put+0x1b/0x30", "folio_put", null)]
    [InlineData("fuse_ref_page.isra.0 [fuse]", "fuse_ref_page", "fuse")]
    [InlineData("copy_process.part.0.constprop.5", "copy_process", null)]
    [InlineData("do_exit.cold", "do_exit", null)]
    [InlineData("filemap_read.llvm.1234567890", "filemap_read", null)]
    [InlineData("gup_fast$a1b2c3", "gup_fast", null)]
    [InlineData(".put_page", "put_page", null)]
    [InlineData("__alloc_pages_noprof", "__alloc_pages", null)]
    [InlineData("__x64_sys_vmsplice", "sys_vmsplice", null)]
    [InlineData("__se_compat_sys_vmsplice", "sys_vmsplice", null)]
    [InlineData("SYSC_vmsplice", "sys_vmsplice", null)]
    [InlineData("sys_vmsplice", "sys_vmsplice", null)]
    [InlineData("ksys_read", "sys_read", null)]
    [InlineData("__sys_setsockopt", "__sys_setsockopt", null)]
    [InlineData("  folio_get  ", "folio_get", null)]
    [InlineData("0xffffffffc0001234", "", null)]
    [InlineData("0xffffffffc0001234 [nvidia]", "", "nvidia")]
    [InlineData("(partial)", "", null)]
    [InlineData("", "", null)]
    [InlineData("[oops]", "[oops]", null)]
    [InlineData(".", "", null)]
    public void A_name_is_read_without_what_compilers_and_printers_add(string frame, string function, string? module) =>
        Assert.Equal(new FrameName(function, module), FrameName.Parse(frame));

    [Fact]
    public void The_site_that_is_shown_is_the_subsystems_way_in_not_a_helper()
    {
        Assert.Equal("__do_sys_vmsplice", Site("trace_event_raw_event_page_ref_mod_and_test_template", "__page_ref_mod_unless", "try_get_folio", "internal_get_user_pages_fast", "__iov_iter_get_pages_alloc", "iov_iter_get_pages2", "__do_sys_vmsplice", "do_syscall_64"));
        Assert.Equal("page_cache_pipe_buf_release", Site("folio_put", "page_cache_pipe_buf_release", "pipe_read", "vfs_read"));
        Assert.Equal("folio_add_lru", Site("__page_ref_mod", "folio_add_lru", "wp_page_copy", "__handle_mm_fault"));
        Assert.Equal("my_driver [my]", Site("try_grab_folio", "get_user_pages_fast", "my_driver [my]", "my_ioctl [my]"));
        static string Site(params string[] frames) => frames[RefClasses.FirstMeaningful(frames)];
    }

    [Fact]
    public void Nonsense_and_endless_stacks_are_unknown_and_harmless()
    {
        const int Seed = 4711;
        Random random = new(Seed);
        string[] pieces = ["", " ", "[", "]", "+", ".", "$", "0x", "(", "folio_put", "sys_", "__x64_sys_", "kthread", "\0", "ü", "a[b]c", "[a]"];
        for (int round = 0; round < 20_000; round++)
        {
            string[] frames = [.. Enumerable.Range(0, random.Next(6)).Select(_ => string.Concat(Enumerable.Range(0, random.Next(4)).Select(_ => pieces[random.Next(pieces.Length)])))];
            RefMatch match = RefClasses.Match(frames, (RefRole)random.Next(2), random.Next(2) == 0);
            Assert.True(match.Class is not null && match.Frame >= -1 && match.Frame < Math.Max(frames.Length, 1), $"seed {Seed}, round {round}");
        }

        Assert.Equal("unknown", RefClasses.Of([.. Enumerable.Repeat("recursion", 100_000), "sys_vmsplice"], RefRole.Take, false).Name);
    }
}
