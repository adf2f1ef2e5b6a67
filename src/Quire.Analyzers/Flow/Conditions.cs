using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Quire.Analyzers.Flow;

/// <summary>A question that a branch asks, so written that equal questions are equal texts.</summary>
/// <param name="text">Null where the answer may differ each time: a call.</param>
/// <param name="isTurned">The branch asks the opposite.</param>
internal readonly struct Condition(string? text, bool isTurned)
{
    internal string? Text { get; } = text;

    internal bool IsTurned { get; } = isTurned;

    internal static Condition Of(IOperation operation, ICollection<ISymbol> reads, ref bool readsHeap)
    {
        bool turned = false;
        IOperation at = operation;
        while (true)
        {
            if (at is IParenthesizedOperation parenthesized)
            {
                at = parenthesized.Operand;
            }
            else if (at is IUnaryOperation { OperatorKind: UnaryOperatorKind.Not, OperatorMethod: null } not)
            {
                turned = !turned;
                at = not.Operand;
            }
            else
            {
                break;
            }
        }

        string? text = null;
        switch (at)
        {
            case IIsNullOperation isNull:
                text = Join(TextOf(isNull.Operand, reads, ref readsHeap), "==", "null");
                break;
            case IIsPatternOperation { Pattern: IConstantPatternOperation constant } pattern:
                text = Join(TextOf(pattern.Value, reads, ref readsHeap), "==", TextOf(constant.Value, reads, ref readsHeap));
                break;
            case IIsPatternOperation { Pattern: INegatedPatternOperation { Pattern: IConstantPatternOperation constant } } pattern:
                turned = !turned;
                text = Join(TextOf(pattern.Value, reads, ref readsHeap), "==", TextOf(constant.Value, reads, ref readsHeap));
                break;
            case IBinaryOperation { OperatorMethod: null } binary:
                string? left = TextOf(binary.LeftOperand, reads, ref readsHeap), right = TextOf(binary.RightOperand, reads, ref readsHeap);
                (text, bool opposite) = binary.OperatorKind switch
                {
                    BinaryOperatorKind.Equals => (Join(left, "==", right), false),
                    BinaryOperatorKind.NotEquals => (Join(left, "==", right), true),
                    BinaryOperatorKind.LessThan => (Join(left, "<", right), false),
                    BinaryOperatorKind.GreaterThanOrEqual => (Join(left, "<", right), true),
                    BinaryOperatorKind.GreaterThan => (Join(right, "<", left), false),
                    BinaryOperatorKind.LessThanOrEqual => (Join(right, "<", left), true),
                    _ => (TextOf(binary, reads, ref readsHeap), false),
                };
                turned ^= opposite;
                break;
            default:
                text = TextOf(at, reads, ref readsHeap);
                break;
        }

        return new Condition(text, turned);
    }

    private static string? TextOf(IOperation? operation, ICollection<ISymbol> reads, ref bool readsHeap)
    {
        if (operation?.ConstantValue is { HasValue: true, Value: var constant })
        {
            return constant is null ? "null" : System.Convert.ToString(constant, System.Globalization.CultureInfo.InvariantCulture);
        }

        switch (operation)
        {
            case ILocalReferenceOperation local:
                reads.Add(local.Local);
                return local.Local.Name;
            case IParameterReferenceOperation parameter:
                reads.Add(parameter.Parameter);
                return parameter.Parameter.Name;
            case IInstanceReferenceOperation:
                return "this";
            case IFieldReferenceOperation field:
                readsHeap |= !field.Field.IsReadOnly;
                return field.Instance is null ? field.Field.ToDisplayString() : Join(TextOf(field.Instance, reads, ref readsHeap), ".", field.Field.Name);
            case IPropertyReferenceOperation { Arguments.IsEmpty: true } property:
                readsHeap = true;
                return property.Instance is null ? property.Property.ToDisplayString() : Join(TextOf(property.Instance, reads, ref readsHeap), ".", property.Property.Name);
            case IConversionOperation { OperatorMethod: null } conversion:
                return TextOf(conversion.Operand, reads, ref readsHeap);
            case IParenthesizedOperation parenthesized:
                return TextOf(parenthesized.Operand, reads, ref readsHeap);
            case IBinaryOperation { OperatorMethod: null } binary:
                return Join(TextOf(binary.LeftOperand, reads, ref readsHeap), binary.OperatorKind.ToString(), TextOf(binary.RightOperand, reads, ref readsHeap));
            case IDefaultValueOperation:
                return "default";
            default:
                return null;
        }
    }

    private static string? Join(string? left, string sign, string? right) => left is null || right is null ? null : "(" + left + sign + right + ")";
}

/// <summary>The conditions that one method asks more than once: their answers are remembered along a path.</summary>
internal sealed class ConditionTable
{
    private readonly Dictionary<string, int> _numbers = [];
    private readonly List<(HashSet<ISymbol> Reads, bool ReadsHeap)> _reads = [];
    private readonly Dictionary<int, (int Number, bool IsTurned)> _ofBlock = [];

    internal ConditionTable(ControlFlowGraph graph)
    {
        List<(int Block, Condition Condition, HashSet<ISymbol> Reads, bool Heap)> asked = [];
        Dictionary<string, int> counts = [];
        foreach (BasicBlock block in graph.Blocks)
        {
            if (block.ConditionKind != ControlFlowConditionKind.None && block.BranchValue is { } value)
            {
                HashSet<ISymbol> reads = new(SymbolEqualityComparer.Default);
                bool heap = false;
                Condition condition = Condition.Of(value, reads, ref heap);
                if (condition.Text is { } text)
                {
                    asked.Add((block.Ordinal, condition, reads, heap));
                    counts[text] = counts.TryGetValue(text, out int count) ? count + 1 : 1;
                }
            }
        }

        foreach ((int block, Condition condition, HashSet<ISymbol> reads, bool heap) in asked)
        {
            string text = condition.Text!;
            if (counts[text] < 2)
            {
                continue;
            }

            if (!_numbers.TryGetValue(text, out int number))
            {
                _numbers[text] = number = _numbers.Count;
                _reads.Add((reads, heap));
            }

            _ofBlock[block] = (number, condition.IsTurned);
        }
    }

    /// <summary>The condition that a block asks, if another block asks it too.</summary>
    internal bool TryGet(BasicBlock block, out int number, out bool isTurned)
    {
        bool known = _ofBlock.TryGetValue(block.Ordinal, out (int Number, bool IsTurned) entry);
        (number, isTurned) = entry;
        return known;
    }

    internal bool Reads(int number, ISymbol symbol) => _reads[number].Reads.Contains(symbol);

    internal bool ReadsHeap(int number) => _reads[number].ReadsHeap;
}
