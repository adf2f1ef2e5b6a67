using System.Text;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Tests.Docs;

/// <summary>docs/tracing.md says what the code does: its table of events is made from the one in the code.</summary>
public sealed class TracingDocsTests
{
    private const string Begin = "<!-- events: made from TracepointTable; UPDATE_GOLDEN=1 dotnet test writes it anew -->";
    private const string End = "<!-- end of events -->";

    [Fact]
    public void The_documented_events_are_those_of_the_table_in_the_code()
    {
        string path = Path.Combine(SourceModel.Root(), "docs", "tracing.md");
        string text = File.ReadAllText(path);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        int end = text.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin, "docs/tracing.md has lost the marks around its table of events.");
        string expected = $"{Begin}\n\n{Table()}\n";
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(path, text[..begin] + expected + text[end..]);
            return;
        }

        Assert.Equal(expected, text[begin..end]);
    }

    [Fact]
    public void Every_event_fits_a_slot_and_its_fields_do_not_overlap()
    {
        Assert.Equal(Enum.GetValues<Tracepoint>().Where(static id => id != Tracepoint.None), TracepointTable.All.Select(static definition => definition.Id));
        foreach (TracepointDefinition definition in TracepointTable.All)
        {
            int at = 8;
            foreach (TracepointField field in definition.Fields)
            {
                Assert.True(field.Offset >= at && field.Offset % field.Size == 0, $"{definition.Name}.{field.Name} is at {field.Offset}");
                at = field.Offset + field.Size;
            }

            Assert.InRange(at, 9, 88);
            Assert.DoesNotContain('{', definition.FormatText().Split("print fmt: ")[1].Split('"')[1]);
        }
    }

    [Theory]
    [InlineData("page_ref_mod", "pfn@8 flags@16 count@24 mapcount@28 mapping@32 mt@40 val@44")]
    [InlineData("page_ref_mod_unless", "pfn@8 flags@16 count@24 mapcount@28 mapping@32 mt@40 val@44 ret@48")]
    [InlineData("page_ref_freeze", "pfn@8 flags@16 count@24 mapcount@28 mapping@32 mt@40 val@44 ret@48")]
    [InlineData("mm_page_alloc", "pfn@8 order@16 gfp_flags@24 migratetype@32")]
    [InlineData("mm_page_free", "pfn@8 order@16")]
    [InlineData("test_pages_isolated", "start_pfn@8 end_pfn@16 fin_pfn@24")]
    [InlineData("mm_migrate_pages", "succeeded@8 failed@16 thp_succeeded@24 thp_failed@32 thp_split@40 mode@48 reason@52")]
    [InlineData("cma_alloc_start", "name@8 count@16 align@24")]
    [InlineData("cma_alloc_finish", "name@8 pfn@16 page@24 count@32 align@40 errorno@44")]
    [InlineData("cma_release", "name@8 pfn@16 page@24 count@32")]
    public void The_kernels_fields_lie_where_the_kernel_has_them(string name, string fields)
    {
        TracepointDefinition definition = TracepointTable.All.Single(definition => definition.Name == name);
        Assert.Equal(fields.Split(' '), definition.Fields.Select(static field => $"{field.Name}@{field.Offset}").Take(fields.Split(' ').Length));
    }

    private static string Table()
    {
        StringBuilder text = new();
        foreach (IGrouping<string, TracepointDefinition> system in TracepointTable.All.GroupBy(static definition => definition.System))
        {
            text.Append($"**{system.Key}**\n\n| event | says | fields |\n|---|---|---|\n");
            foreach (TracepointDefinition definition in system)
            {
                text.Append($"| `{definition.Name}` | {definition.Summary} | {string.Join(", ", definition.Fields.Select(static field => field.Name))} |\n");
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
