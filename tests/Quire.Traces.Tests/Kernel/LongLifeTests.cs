using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel;

/// <summary>Pages with very many events and allocations that never end: the answer stays right, and time and memory stay bounded.</summary>
public sealed class LongLifeTests
{
    private const ulong Pfn = 0x1200;

    [Fact]
    public void A_life_settled_while_the_page_is_frozen_goes_on_with_as_many_references_as_before()
    {
        // Journals are settled at 64 entries, so one of these freezes is the last entry of what is settled.
        for (int pairs = 28; pairs < 36; pairs++)
        {
            KernelText text = new KernelText().Looks(Pfn, mapcount: 0, flags: KernelText.File, count: 2);
            for (int i = 0; i < pairs; i++)
            {
                text.By("a-1").Take(Pfn, "a_get", "a_call").Put(Pfn, "a_put", "a_call");
            }

            text.Freeze(Pfn, 2, "split_folio").Unfreeze(Pfn, 2, "split_folio").Take(Pfn, "b_get", "b_call").Freeze(Pfn, 3, "split_folio").Unfreeze(Pfn, 3, "split_folio");
            BlameReport report = text.Blame();
            string told = string.Join(", ", report.HeldAtEnd.Select(static row => $"{row.Class} {row.References}").Order());
            Assert.True(told == "before 1, unknown 1", $"{pairs} pairs: {told}");
        }
    }

    [Fact]
    public void Allocations_that_never_end_do_not_make_every_event_slow()
    {
        KernelText text = new();
        for (int task = 0; task < 10_000; task++)
        {
            text.By($"al-{20_000 + task}").CmaStart(64);
        }

        text.By("x-1", 1).Looks(Pfn, mapcount: 1, count: 1);
        for (int i = 0; i < 50_000; i++)
        {
            text.Take(Pfn, "x_get").Put(Pfn, "x_put");
        }

        // Looking through all of them at every put took 8 s on the machine on which this takes 0.3 s.
        TimeSpan began = ProcessorTime.Now();
        Assert.Equal(10_000, text.Blame().Attempts.Count);
        TimeSpan took = ProcessorTime.Now() - began;
        Assert.True(took < TimeSpan.FromSeconds(5), $"{took}");
    }
}
